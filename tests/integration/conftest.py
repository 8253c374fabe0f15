"""What pytest leaves alone here: the halves of programs that test_document puts together."""

collect_ignore_glob = ["document/*.py"]
