package book

// changesA are the changes for section A.
var changesA = []change{}
