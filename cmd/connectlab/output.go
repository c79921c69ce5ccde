package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// partFile is a file that has its name only once it is whole: until then, and if the program dies, it is NAME.part.
type partFile struct {
	*os.File
	name string
}

func createPart(name string) (*partFile, error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a folder", name)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := os.Create(name + ".part")
	if err != nil {
		return nil, err
	}
	return &partFile{f, name}, nil
}

// finish gives the file its name. If whole is false it keeps the name that says so.
func (p *partFile) finish(whole bool) error {
	if err := p.Close(); err != nil || !whole {
		return err
	}
	return os.Rename(p.File.Name(), p.name)
}
