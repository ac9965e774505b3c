"""What is measured of the arms beyond what people say."""
