// Connectlab runs a TCP connect between two stacks in one process and shows what happened: each packet, each call, and
// the inside of both sockets.
package main

import "os"

func main() {
	plainTerminal := os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb"
	os.Exit(program{
		args: os.Args, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		outWidth: terminalWidth(os.Stdout), errTerminal: terminalWidth(os.Stderr) > 0, noColor: plainTerminal,
	}.main())
}
