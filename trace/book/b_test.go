package book

// changesB are the changes for section B.
var changesB = []change{}
