package book

// sectionB is the header in front, and what a socket records.
var sectionB = []*Statement{}
