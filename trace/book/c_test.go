package book

// changesC are the changes for section C.
var changesC = []change{}
