package main

import (
	"os"
	"os/signal"
)

// exitInterrupted is the status of a program that the user stopped, as shells have it.
const exitInterrupted = 130

// onInterrupt has the program tell where the record is when the user stops it, and end. The function that it returns
// takes that back.
func (p *program) onInterrupt(part string) (stop func()) {
	interrupts, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(interrupts, os.Interrupt)
	go func() {
		select {
		case <-interrupts:
			p.say(p.text("cmd.interrupted", part))
			os.Exit(exitInterrupted)
		case <-done:
		}
	}()
	return func() {
		signal.Stop(interrupts)
		close(done)
	}
}
