"""The five stages of the pipeline, each a module to run; they meet only through files."""
