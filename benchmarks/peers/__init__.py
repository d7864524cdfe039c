"""The same work done with others' libraries; every module here needs the extra `[bench]`."""
