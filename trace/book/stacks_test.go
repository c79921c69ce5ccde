package book

import (
	"strings"

	"connectlab/adapters/gvisor"
	"connectlab/adapters/handwritten"
	"connectlab/netns"
	"connectlab/netns/script"
)

// testStacks are the stacks on which stories are told. A story's name can say on which: "plain on handwritten" has it at both ends,
// "plain on gvisor,handwritten" the first at the client. What says nothing is told on gVisor.
var testStacks = map[string]netns.Factory{
	"gvisor":                 &gvisor.Factory{},
	"handwritten":            &handwritten.Factory{},
	"handwritten+ws+ts+sack": &handwritten.Factory{WindowScale: true, Timestamps: true, SACKPermitted: true},
}

// otherStacks are those besides gVisor on which tests tell all stories.
var otherStacks = []string{"handwritten", "handwritten+ws+ts+sack"}

// pairs are the stories of two makers.
var pairs = []string{"plain on gvisor,handwritten", "plain on handwritten,gvisor", "plain on handwritten,handwritten+ws+ts+sack"}

// storyOn takes a story's name apart.
func storyOn(name string) (story string, client, server netns.Factory) {
	story, words, found := strings.Cut(name, " on ")
	if !found {
		words = "gvisor"
	}
	first, second, two := strings.Cut(words, ",")
	if !two {
		second = first
	}
	return story, testStacks[first], testStacks[second]
}

// canTell reports whether a stack can do a story that is told for the tests.
func canTell(name, word string) bool {
	s, err := script.Parse(name, ownStories[name])
	if err != nil {
		panic(err)
	}
	cfg := s.Config(netns.Config{Client: testStacks[word], Server: testStacks[word]})
	return cfg.Capable() == nil
}

// on says behind the names of stories on which stack they are told.
func on(word string, names []string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		if all[i] = name; word != "gvisor" {
			all[i] += " on " + word
		}
	}
	return all
}

// builtinStories are the built-in stories on gVisor, then on each other stack those that it can do.
func builtinStories() (names []string) {
	words := append([]string{"gvisor"}, otherStacks...)
	if underRace {
		words = words[:2]
	}
	for _, word := range words {
		names = append(names, on(word, script.NamesFor(testStacks[word], testStacks[word]))...)
	}
	return names
}
