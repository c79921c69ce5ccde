// Package view is what people look at: a finished trace as a ladder, as control information with who told it, as the
// header of one of its packets, and as a sequence diagram that Mermaid draws; and two traces as where they part, in English and in Korean.
//
//	err := view.Ladder(os.Stdout, t, view.Options{})
//
// The ideas in order: a view reads a finished trace and nothing else, so that a trace from a file is shown as a live
// one. Options say in which language and how wide; no line is ever wider. Every word that is not a protocol's own
// (state, control bit, variable) comes from the catalogue, a text file for each language.
//
// # Limits
//
// The ladder has two sides, for a link between two hosts. Characters whose width is ambiguous (Unicode Standard Annex
// #11) count as one cell wide, as modern terminals show them.
package view
