package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// traceExtension is that of traces in a folder.
const traceExtension = ".trace"

// partFile is a file that has its name only once it is whole: until then, and if the program dies, it is NAME.part.
type partFile struct {
	*os.File
	name string
}

// createPart begins a file. What stands there under its name is replaced when the new one is whole, but for what is
// not a plain file: a rename would put a file in the place of a device.
func (p *program) createPart(name string) (*partFile, error) {
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, p.fail("cmd.out.not-a-file", name)
	case info.Mode().Perm()&0o200 == 0:
		return nil, p.fail("cmd.out.read-only", name)
	}
	// Two runs must not write into one file, and what a run that died has left is not thrown away unasked.
	f, err := os.OpenFile(name+".part", os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return nil, p.fail("cmd.out.part-exists", name+".part")
	}
	if err != nil {
		return nil, err
	}
	return &partFile{f, name}, nil
}

// finish gives the file its name. If whole is false it keeps the name that says so.
func (p *partFile) finish(whole bool) error {
	var err error
	if whole {
		err = p.Sync()
	}
	if err2 := p.Close(); err == nil {
		err = err2
	}
	if err != nil || !whole {
		return err
	}
	return os.Rename(p.Name(), p.name)
}

// place says where the traces of jobs go: a file for one, a folder for several or where there is a folder already,
// which it makes.
func (p *program) place(jobs []job, out string) error {
	info, err := os.Stat(out)
	folder := len(jobs) > 1 || err == nil && info.IsDir() || os.IsPathSeparator(out[len(out)-1])
	taken := map[string]string{}
	for i := range jobs {
		j := &jobs[i]
		if j.file = out; folder {
			j.file = filepath.Join(out, j.story.Name+traceExtension)
		}
		if other, ok := taken[j.file]; ok {
			return p.fail("cmd.out.twice", other, j.name, j.file)
		}
		taken[j.file] = j.name
		there, err := os.Stat(j.file)
		if err != nil {
			continue // that it cannot be made is found when it is made
		}
		if f, ok := p.stdout.(*os.File); ok {
			if info, err := f.Stat(); err == nil && os.SameFile(info, there) {
				return p.fail("cmd.out.stdout", j.file)
			}
		}
		for _, other := range jobs {
			if info, err := os.Stat(other.path); err == nil && os.SameFile(info, there) {
				return p.fail("cmd.out.story", j.file)
			}
		}
	}
	if folder {
		return os.MkdirAll(out, 0o777)
	}
	return nil
}
