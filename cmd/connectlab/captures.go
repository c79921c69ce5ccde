package main

import (
	"fmt"
	"os"
	"path/filepath"

	"connectlab/trace"
	"connectlab/trace/pcapng"

	"github.com/urfave/cli/v2"
)

// captureExtension is that of captures, which are named after their sides.
const captureExtension = ".pcapng"

// captureFolder reads --pcapng; empty: the user wants no captures.
func (p *program) captureFolder(c *cli.Context) (string, error) {
	folder := c.String("pcapng")
	if c.IsSet("pcapng") && folder == "" {
		return "", p.badFlag(c, "pcapng", p.text("cmd.want.folder"))
	}
	return folder, nil
}

// placeCaptures says where the captures of jobs go, and makes it: the folder for one, a folder each within it for several.
func (p *program) placeCaptures(jobs []job, folder string) error {
	taken := map[string]string{}
	for i := range jobs {
		j := &jobs[i]
		if j.folder = folder; len(jobs) > 1 {
			j.folder = filepath.Join(folder, j.story.Name)
		}
		if other, ok := taken[j.folder]; ok {
			return p.fail("cmd.pcapng.twice", other, j.name, j.folder)
		}
		taken[j.folder] = j.name
	}
	for _, j := range jobs {
		if err := os.MkdirAll(j.folder, 0o777); err != nil {
			return err
		}
	}
	return nil
}

// writeCaptures writes a capture of each side into a folder: all of them, or none.
func (p *program) writeCaptures(folder string, t *trace.Trace) error {
	err := os.MkdirAll(folder, 0o777)
	var parts []*partFile
	for _, side := range pcapng.Sides {
		var part *partFile
		if err == nil {
			part, err = p.createPart(filepath.Join(folder, side.String()+captureExtension))
		}
		if err == nil {
			parts = append(parts, part)
			err = pcapng.Write(part, t, side)
		}
	}
	if err == nil {
		err = finishAll(parts)
	} else {
		discard(parts)
	}
	if err != nil {
		return fmt.Errorf("--pcapng: %w", err)
	}
	return nil
}

// finishAll gives files their names: all of them, or none. What stood under the names stays where they cannot be written; where a name
// cannot be given after others were, it is gone, so that no file is of another run than the others.
func finishAll(parts []*partFile) error {
	for _, part := range parts {
		if err := part.Sync(); err != nil {
			discard(parts)
			return err
		}
	}
	for i, part := range parts {
		if err := part.finish(true); err != nil {
			for _, named := range parts[:i] {
				os.Remove(named.name)
			}
			discard(parts[i:])
			return err
		}
	}
	return nil
}

// discard throws files away that have no names yet.
func discard(parts []*partFile) {
	for _, part := range parts {
		part.Close()
		os.Remove(part.Name())
	}
}
