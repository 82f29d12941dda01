"""The steps from raw files to a training set, and the bookkeeping around them."""
