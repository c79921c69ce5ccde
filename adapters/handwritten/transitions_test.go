package handwritten_test

import (
	"testing"

	"connectlab/adapters/handwritten"
)

// everyScenario has the scenarios of all rows that can be met.
func everyScenario(all []row) scenarios {
	s := scenarios{}
	s.closedRows()
	s.listenRows()
	s.synSentRows()
	s.synReceivedRows()
	s.everyState(all)
	s.waitingRows(all)
	s.establishedRows(all)
	s.closingRows()
	s.timeWaitRows()
	delete(s, "T108") // a twin of T083, with the same event
	return s
}

// outOfReach are the rows that no call of a BSD socket and no segment can meet, with the reason.
var outOfReach = map[string]string{
	"T013": "connect on a listening socket is an error; the RFC's OPEN makes it active",
	"T015": "send on a listening socket is an error; the RFC's SEND makes it active",
	"T146": "FIN-WAIT-2 is entered when all is acknowledged, and nothing is sent in it: no ACK can be for new data",
}

// declaredRows are the rows that the stack declares not to keep, with its reasons.
func declaredRows(t testing.TB) map[string]string {
	t.Helper()
	declared := map[string]string{}
	for _, d := range handwritten.Declared() {
		if d.Reason == "" || declared[d.Row] != "" {
			t.Errorf("%s is declared without a reason, or twice", d.Row)
		}
		declared[d.Row] = d.Reason
	}
	return declared
}
