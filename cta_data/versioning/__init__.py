"""DataLad and git-annex: datasets, content keys, records of what was run, guards of pushes."""
