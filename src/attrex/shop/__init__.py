"""What one shop's files mean: attributes, columns, cells, and the policy that labels are made by."""
