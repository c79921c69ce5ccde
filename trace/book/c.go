package book

// sectionC is what connect() really does.
var sectionC = []*Statement{}
