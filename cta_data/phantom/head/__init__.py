"""The head: an average brain that is warped, what lies around it, vessels and lesions."""
