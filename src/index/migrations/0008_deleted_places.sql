-- Which files that are still to be moved share a place: the same bytes were deleted, sent again and deleted again.
CREATE INDEX deleted_file_place ON deleted_file (path, deletion, number) WHERE state = 0;
