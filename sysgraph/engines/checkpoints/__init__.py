"""What engines of checkpoints share: residents, adapters, ways of training, batches."""
