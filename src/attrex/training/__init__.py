"""Fine-tuning on the Hugging Face Trainer, and the checkpoint directory."""
