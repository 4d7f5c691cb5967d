"""Where raw images come from: folders of classes, manifests, and the data sets that libraries bring."""
