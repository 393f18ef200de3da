"""Pages a person looks at: the HTML report and the model card."""
