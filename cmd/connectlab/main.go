// Connectlab runs a TCP connect between two stacks in one process and shows what happened: each packet, each call, and
// the inside of both sockets.
package main

import (
	"os"
)

func main() {
	os.Exit(program{
		args: os.Args, stdout: os.Stdout, stderr: os.Stderr,
		outWidth: terminalWidth(os.Stdout), errTerminal: terminalWidth(os.Stderr) > 0,
		noColor: os.Getenv("NO_COLOR") != "",
	}.main())
}
