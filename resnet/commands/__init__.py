"""The commands of `python -m resnet`, one a file; what they do is done by the library, they read and print."""
