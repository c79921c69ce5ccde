package book

// sectionA is what connecting means.
var sectionA = []*Statement{}
