"""The drivers of the pipeline: Prefect flows around the dvc command."""
