package script

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"connectlab/netns"
	"connectlab/trace"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// sameMeaning compares what lines say, wherever they stand.
var sameMeaning = cmp.Options{
	cmpopts.IgnoreTypes(Pos{}),
	cmpopts.IgnoreUnexported(Option{}, Observation{}),
	cmpopts.EquateEmpty(),
}

const head = "server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"

func TestErrorSaysWhereAndWhatWasExpected(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"empty":                           {"", "1:1: expected at least one line, as `client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3`"},
		"brace instead of a call":         {"client: }", "1:9: expected a call or a time, found `}`"},
		"nothing behind a time":           {"client: +1\n", "1:11: expected a call, found the end of the line"},
		"plus without a time":             {"client: + close(3)", "1:11: expected a time in seconds behind `+`, found `close`"},
		"unknown host":                    {"router: close(3)", "1:1: expected a host: client or server, found `router`"},
		"no colon":                        {"client close(3)", "1:8: expected `:` behind the host, found `close`"},
		"program 0":                       {"client.0: close(3)", "1:1: expected numbers of programs from 1 to 100000, as in client.2 or client.1-100, found `client.0`"},
		"programs backwards":              {"client.9-2: close(3)", "1:1: expected numbers of programs from 1 to 100000, as in client.2 or client.1-100, found `client.9-2`"},
		"unknown call":                    {head + "server: konnect(3, server:80)", "2:9: unknown call `konnect`: the calls are socket, bind, listen, accept, connect, send, write, recv, read, sendall, recvall, shutdown, close, abort, fcntl, getsockopt, setsockopt"},
		"call without arguments":          {head + "server: listen()", "2:9: expected a descriptor: it is listen(3, 128)"},
		"one argument too many":           {head + "server: close(3, 4)", "2:18: expected no argument here, found `4`: it is close(3)"},
		"no closing parenthesis":          {head + "server: close(3", "2:16: expected `,` or `)`, found the end of the file"},
		"no comma":                        {head + "server: bind(3 server:80)", "2:16: expected `,` or `)`, found `server`"},
		"two calls in a line":             {head + "server: close(3) close(3)", "2:18: expected the end of the line, found `close`"},
		"port too high":                   {head + "server: bind(3, server:65536)", "2:24: expected a port, from 0 to 65535, found `65536`"},
		"no address":                      {head + "server: bind(3, 80)", "2:17: expected an address, as server:80 or *:80, found `80`: it is bind(3, server:80)"},
		"connect to any address":          {head + "server: connect(3, *:80)", "2:20: expected an address, as server:80, nobody:80 or 192.0.2.2:80, found `*:80`: it is connect(3, server:80)"},
		"address of too many parts":       {head + "server: bind(3, 1.2.3.4.5:80)", "2:17: expected a number or an IPv4 address, found `1.2.3.4.5`"},
		"IPv6 address of too many parts":  {head + "server: bind(3, [1::2::3]:80)", "2:17: expected an IPv6 address in `[ ]`, found `1::2::3`"},
		"unknown error":                   {head + "server: close(3) = -1 EWHATEVER", "2:20: unknown error `EWHATEVER`: expected a name as ECONNREFUSED, ETIMEDOUT or EINPROGRESS"},
		"error with a result":             {head + "server: close(3) = 0 ECONNRESET", "2:20: expected -1 before the error ECONNRESET, found 0"},
		"result missing":                  {head + "server: close(3) =\n", "2:19: expected a result, as 0 or -1 ECONNREFUSED, found the end of the line"},
		"error's text without an end":     {head + "server: close(3) = -1 EPIPE (Broken\n", "2:30: expected `)` to end the error's text on the same line"},
		"descriptor that nobody makes":    {head + "server: close(4)", "2:15: unknown descriptor 4: no socket() or accept() of the server makes it, they make [3]"},
		"observed descriptor of nobody":   {head + ".1 state(client 3)", "2:17: unknown descriptor 3: no socket() or accept() of the client makes it"},
		"word that is not defined":        {head + "server: listen(3, BACKLOG)", "2:19: expected a backlog, from -1 to 2147483647, found `BACKLOG`"},
		"word that is no number":          {"--define=N=x\n" + head + "server: listen(3, N)", "3:19: expected a backlog, from -1 to 2147483647, found `N`, which is x"},
		"shutdown of nothing":             {head + "server: shutdown(3, SHUT_X)", "2:21: expected SHUT_RD or SHUT_WR or SHUT_RDWR, found `SHUT_X`: it is shutdown(3, SHUT_WR)"},
		"flags":                           {head + "server: send(3, ..., 5, 1)", "2:25: expected flags 0 or MSG_OOB as the last argument, found `1`: it is send(3, ..., 5, 0), send(3, \"GET\", 3, 0) or, of urgent data, send(3, ..., 5, MSG_OOB)"},
		"more octets than the string has": {head + "server: send(3, \"GET\", 4, 0)", "2:24: expected at most 3 octets, which is all the string has, found 4"},
		"unknown level":                   {head + "server: setsockopt(3, SOL_X, SO_LINGER, [1], 4)", "2:23: expected SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP or IPPROTO_IPV6, found `SOL_X`: it is setsockopt(3, SOL_SOCKET, SO_KEEPALIVE, [1], 4)"},
		"unknown socket option":           {head + "server: setsockopt(3, SOL_TCP, SO_LINGER, [1], 4)", "2:32: expected one of TCP_NODELAY, TCP_MAXSEG, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_USER_TIMEOUT, found `SO_LINGER`: it is setsockopt(3, SOL_SOCKET, SO_KEEPALIVE, [1], 4)"},
		"linger as a number":              {head + "server: setsockopt(3, SOL_SOCKET, SO_LINGER, [1], 4)", "2:46: expected {onoff=1, linger=0}, found `[1]`: it is setsockopt(3, SOL_SOCKET, SO_KEEPALIVE, [1], 4)"},
		"linger with a field missing":     {head + "server: setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1}, 4)", "2:46: expected {onoff=1, linger=0}, found `{onoff=1}`: it is setsockopt(3, SOL_SOCKET, SO_KEEPALIVE, [1], 4)"},
		"unknown option":                  {"--foo=1\n" + head, "1:1: unknown option --foo: the options are --define, --link, --ipv6, --delay, --mtu, --fault, --until, --needs"},
		"option without a value":          {"--delay\n" + head, "1:8: expected `=`, as in --delay=.010, found the end of the line"},
		"option of the wrong kind":        {"--delay=\"x\"\n" + head, "1:9: expected a value, as in --delay=.010, found \"x\""},
		"option twice":                    {"--delay=1\n--delay=2\n" + head, "2:1: expected --delay once"},
		"word defined twice":              {"--define=A=2\n--define=A=2\n" + head, "2:1: expected --define A once"},
		"option behind a line":            {head + "--delay=1\n", "2:1: expected options before all other lines, found `--delay`"},
		"link that there is not":          {"--link=wifi\n" + head, "1:8: expected a link, ip or ethernet, found `wifi`"},
		"link as a string":                {"--link=\"ip\"\n" + head, "1:8: expected a value, as in --link=ethernet, found \"ip\""},
		"IPv6 with a value":               {"--ipv6=1\n" + head, "1:7: expected no value, as in --ipv6, found `=`"},
		"IPv6 twice":                      {"--ipv6\n--ipv6\n" + head, "2:1: expected --ipv6 once"},
		"need of nothing known":           {"--needs=\"speed\"\n" + head, "1:9: expected what only some stacks can do, Ethernet or IPv6 or ECN or urgent data or SYN cookies, or one of them behind client or server, found \"speed\""},
		"need of no host":                 {"--needs=\"router ECN\"\n" + head, "1:9: expected what only some stacks can do, Ethernet or IPv6 or ECN or urgent data or SYN cookies, or one of them behind client or server, found \"router ECN\""},
		"flags of recv":                   {head + "server: recv(3, ..., 5, MSG_OOB)", "2:25: expected flags 0 as the last argument, found `MSG_OOB`: it is recv(3, ..., 100, 0) or recv(3, \"GET\", 3, 0)"},
		"flags left out":                  {head + "server: recv(3, ..., 5) = 5", "2:9: expected flags 0 as the last argument: it is recv(3, ..., 100, 0) or recv(3, \"GET\", 3, 0)"},
		"flags of send left out":          {head + "server: send(3, ..., 5)", "2:9: expected flags 0 or MSG_OOB as the last argument: it is send(3, ..., 5, 0), send(3, \"GET\", 3, 0) or, of urgent data, send(3, ..., 5, MSG_OOB)"},
		"MTU too small":                   {"--mtu=20\n" + head, "1:7: expected an MTU from 576 to 65535 octets, found 20"},
		"until nothing":                   {"--until=0\n" + head, "1:9: expected a time above 0"},
		"fault of an unknown host":        {"--fault=\"drop router any\"\n" + head, "1:15: unknown host \"router\": the hosts are client and server"},
		"observer with a relative time":   {head + "+.1 state(server 3)", "2:1: expected a time from the start, as .015: only a program's line can count from the line before, as in `client: +1 close(3)`"},
		"observer of nothing":             {head + "1 look(server 3)", "2:3: expected state(…), info(…), reboot, link up or link down, found `look`"},
		"unknown state":                   {head + "1 state(server 3) = SYN-RCVD", "2:21: unknown state `SYN-RCVD`: the states are CLOSED, LISTEN, SYN-SENT, SYN-RECEIVED, ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2, CLOSE-WAIT, CLOSING, LAST-ACK, TIME-WAIT"},
		"state missing":                   {head + "1 state(server 3) =", "2:20: expected a state: CLOSED, LISTEN, SYN-SENT, SYN-RECEIVED, ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2, CLOSE-WAIT, CLOSING, LAST-ACK, TIME-WAIT, found the end of the file"},
		"connection 0":                    {head + "1 state(server 3#0)", "2:18: expected which connection, counted from 1, found `0`"},
		"link in no direction":            {head + "1 link sideways", "2:8: expected up or down, found `sideways`"},
		"reboot of nobody":                {head + "1 reboot", "2:9: expected client or server, found the end of the file"},
		"time with a name for its unit":   {head + "1ms reboot server", "2:1: expected a number, or a time in seconds as .010, found `1ms`: times have no unit here"},
		"option's time with a unit":       {"--delay=10ms\n" + head, "1:9: expected a number, or a time in seconds as .010, found `10ms`: times have no unit here"},
		"fraction with a unit":            {head + "server: +1.5s close(3)", "2:10: expected a number, or a time in seconds as .010, found `1.5s`: times have no unit here"},
		"time of two units":               {head + ".5h3m reboot server", "2:1: expected a number, or a time in seconds as .010, found `.5h3m`: times have no unit here"},
		"fraction with a word":            {head + "server: .5x close(3)", "2:9: expected a number, found `.5x`"},
		"time of too many digits":         {head + ".1234567891 reboot server", "2:1: expected a time in seconds up to 100 years, to the nanosecond, found `.1234567891`"},
		"time of too many years":          {head + "3153600001 reboot server", "2:1: expected a time in seconds up to 100 years, to the nanosecond, found `3153600001`"},
		"time backwards":                  {head + "server: 2 close(3)\nserver: 1 close(3)", "3:1: expected a time from 2 on, as the program's line before has it"},
		"repeat without a count":          {"client: repeat {", "1:16: expected how many times, as in `repeat 100 {`, found `{`"},
		"repeat too often":                {head + "server: repeat 1000001 {\nclose(3)\n}", "2:16: expected how many times, from 0 to 1000000, found `1000001`"},
		"repeat in one line":              {"client: repeat 2 { close(3) }", "1:20: expected the end of the line behind `{`, found `close`"},
		"repeat without an end":           {head + "server: repeat 2 {\nclose(3)\n", "4:1: expected `}`, found the end of the file"},
		"host inside a repeat":            {head + "server: repeat 2 {\nserver: close(3)\n}", "3:7: expected `(`, found `:`"},
		"too many calls":                  {head + "server: repeat 100000 {\nrepeat 100000 {\nclose(3)\n}\n}", "2:1: expected at most 100000000 calls in all repeats together"},
		"string without an end":           {head + "server: send(3, \"GET", "2:17: expected `\"` to end this string on the same line"},
		"unknown escape":                  {head + `server: send(3, "\q", 1, 0)`, `2:18: expected one of \\ \" \f \n \r \t \v \xHH`},
		"comment without an end":          {head + " /* …", "2:2: expected `*/` to end this comment"},
		"number too big":                  {head + "server: listen(3, 9223372036854775808)", "2:19: expected a number below 2^63, found `9223372036854775808`"},
		"foreign character":               {head + "server: close(§)", "2:15: character `§` has no meaning here"},
		"control character":               {head + "server: close(\x01)", "2:15: character U+0001 has no meaning here"},
		"no UTF-8":                        {head + "// ok\n// \xff", "3:4: expected UTF-8, found the octet 0xff"},
		"column counts characters":        {head + "/* 세 마디 */ server close(3)", "2:19: expected `:` behind the host, found `close`"},
		"unknown item":                    {head + "1 info(server 3, \"wind\")", "2:18: unknown item \"wind\": the items are protocol, local address, "},
		"pending error of no name":        {head + "server: getsockopt(3, SOL_SOCKET, SO_ERROR, [5], [4]) = 0", "2:46: expected the error that is expected, as [0] or [ECONNREFUSED], or `...`, found `5`: it is getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4])"},
		"pending error that is set":       {head + "server: setsockopt(3, SOL_SOCKET, SO_ERROR, [0], 4)", "2:9: expected an option that can be set: SO_ERROR can only be read"},
		"observer of many programs":       {head + "server.2-3: close(3)\n1 state(server.2-3 3)", "3:1: expected one program: an observer looks at one socket"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("bad.story", test.text)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("Parse: %v, want an *Error", err)
			}
			got := strings.TrimPrefix(err.Error(), "bad.story:")
			if strings.HasPrefix(got, test.want) && strings.HasSuffix(test.want, ", ") {
				return // the list is long
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestFormatIsCanonical(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"spaces and zeros": {
			head + "server:   +0.10   close( 3 )   =0\n",
			head + "server: +.1 close(3) = 0\n",
		},
		"no time is the same as +0": {
			head + "server: +0 close(3)\n",
			head + "server: close(3)\n",
		},
		"time from the start stays": {
			head + "server: 0.0 close(3)\n",
			head + "server: 0 close(3)\n",
		},
		"call over several lines": {
			head + "server: connect(3, // who\n  server:80) = -1 ECONNREFUSED ( Connection   refused )",
			head + "server: connect(3, server:80) = -1 ECONNREFUSED (Connection refused) // who\n",
		},
		"options": {
			"--delay=0.010\n--define=A=-0x10\n--fault=\"drop client any\"\n" + head,
			"--delay=.01\n--define=A=-0x10\n--fault=\"drop client any\"\n" + head,
		},
		"comments and blank lines": {
			"\n\n//one\n\n\n/* two\n   three */\n" + head + "\n/* before */ server: close(3) /* and */ // behind\n\n",
			"// one\n\n// two\n// three\n" + head + "\n// before\nserver: close(3) // and behind\n",
		},
		"comment of nothing": {
			head + "//   \n//\n" + head,
			head + "//\n//\n" + head,
		},
		"repeat": {
			head + "server:repeat 3{ // a\n\n close(3)//b\nrepeat 2 {\nclose(3)\n\n//c\n}\n}//d\n",
			head + "server: repeat 3 { // a\n    close(3) // b\n    repeat 2 {\n        close(3)\n\n        // c\n    }\n} // d\n",
		},
		"expressions": {
			head + "server: setsockopt(3,SOL_SOCKET,SO_LINGER,{onoff = 1,linger=0},8)\nserver: fcntl(3,F_SETFL,O_RDWR | O_NONBLOCK)\nserver: send(3,\"\\x41\\x00\\\"\\n세\",3,0)",
			head + "server: setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8)\nserver: fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK)\nserver: send(3, \"A\\x00\\\"\\n세\", 3, 0)\n",
		},
		"addresses": {
			head + "server: bind(3, * : 80)\nserver: connect(3,[2001:DB8::1]:80,...)\nserver: connect(3, 192.0.2.1:80)",
			head + "server: bind(3, *:80)\nserver: connect(3, [2001:db8::1]:80, ...)\nserver: connect(3, 192.0.2.1:80)\n",
		},
		"programs": {
			"server.1: socket(..., SOCK_STREAM, 0) = 3\nserver.2-03: close(3)",
			"server.1: socket(..., SOCK_STREAM, 0) = 3\nserver.2-3: close(3)\n",
		},
		"observers and the world": {
			head + "0.015 state( server 3 # 1 )=FIN-WAIT-1\n1.0 info(server 3,\"cwnd\")=10\n1.0 reboot   server\n2 link  down\n2.50 link up",
			head + ".015 state(server 3#1) = FIN-WAIT-1\n1 info(server 3, \"cwnd\") = 10\n1 reboot server\n2 link down\n2.5 link up\n",
		},
		"carriage returns": {
			strings.ReplaceAll(head+"// x\nserver: close(3)\n", "\n", "\r\n"),
			head + "// x\nserver: close(3)\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Parse("a.story", test.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, s.Format()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			checkFormat(t, s)
		})
	}
}

// checkFormat checks that a formatted story reads as the same story, and is formatted as it is.
func checkFormat(t interface{ Fatalf(string, ...any) }, s *Story) {
	again, err := Parse("formatted.story", s.Format())
	if err != nil {
		t.Fatalf("the formatted story cannot be read: %v\n%s", err, s.Format())
	}
	if diff := cmp.Diff(s.Lines, again.Lines, sameMeaning); diff != "" {
		t.Fatalf("the formatted story reads otherwise (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(s.Format(), again.Format()); diff != "" {
		t.Fatalf("formatted twice it is otherwise (-want +got)\n%s", diff)
	}
}

func TestParseOfFormatIsTheStory(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lines := drawStory(t)
		text := formatLines(lines)
		s, err := Parse("drawn.story", text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if diff := cmp.Diff(lines, s.Lines, sameMeaning); diff != "" {
			t.Fatalf("(-want +got)\n%s\n%s", diff, text)
		}
		checkFormat(t, s)
	})
}

func secondsIn(t *rapid.T) time.Duration {
	return time.Duration(rapid.OneOf(rapid.Int64Range(0, int64(netns.MaxTime)), rapid.Just(int64(time.Second))).Draw(t, "ns"))
}

func drawStory(t *rapid.T) []Line {
	var lines []Line
	comment := rapid.Custom(func(t *rapid.T) string {
		return asComment(strings.TrimRight(rapid.StringMatching(`[ -~세]{0,12}`).Draw(t, "comment"), " "))
	})
	trailing := rapid.Custom(func(t *rapid.T) string {
		if rapid.Bool().Draw(t, "no comment") {
			return ""
		}
		return asComment(strings.TrimSpace(comment.Draw(t, "trailing")[2:]))
	})
	add := func(lines []Line, what Node) []Line {
		if rapid.IntRange(0, 4).Draw(t, "blank") == 0 && len(lines) > 0 {
			lines = append(lines, Line{})
		}
		if rapid.IntRange(0, 3).Draw(t, "comment line") == 0 {
			lines = append(lines, Line{Comment: comment.Draw(t, "text")})
		}
		return append(lines, Line{What: what, Comment: trailing.Draw(t, "trailing")})
	}
	num := func(low, high int64) Expr {
		return Expr{Kind: Int, Num: rapid.Int64Range(low, high).Draw(t, "n"), Hex: rapid.Bool().Draw(t, "hex")}
	}
	word := func(s string) Expr { return Expr{Kind: Word, Text: s} }
	dots := Expr{Kind: Ellipsis}
	three := Expr{Kind: Int, Num: 3}
	str := func() Expr {
		return Expr{Kind: String, Text: rapid.String().Draw(t, "s") + string(rapid.SliceOf(rapid.Byte()).Draw(t, "b"))}
	}
	addr := func() Expr {
		return Expr{Kind: Address, Text: rapid.SampledFrom([]string{"client", "server", "192.0.2.9", "2001:db8::1"}).Draw(t, "host"), Elems: []Expr{num(0, 65535)}}
	}
	at := func() Time {
		if rapid.Bool().Draw(t, "at once") {
			return Time{}
		}
		return Time{At: secondsIn(t)}
	}
	call := func() Call {
		c := rapid.SampledFrom([]func() Call{
			func() Call { return Call{Name: "listen", Args: []Expr{three, num(-1, 1<<31-1)}} },
			func() Call { return Call{Name: "connect", Args: []Expr{three, addr()}} },
			func() Call { return Call{Name: "bind", Args: []Expr{three, addr(), dots}} },
			func() Call { return Call{Name: "sendall", Args: []Expr{three, str()}} },
			func() Call { return Call{Name: "send", Args: []Expr{three, dots, word("N"), {Kind: Int}}} },
			func() Call { return Call{Name: "read", Args: []Expr{three, str(), num(0, 1<<20)}} },
			func() Call {
				return Call{Name: "fcntl", Args: []Expr{three, word("F_SETFL"), {Kind: Or, Elems: []Expr{word("O_RDWR"), word("O_NONBLOCK")}}}}
			},
			func() Call {
				return Call{Name: "setsockopt", Args: []Expr{three, word("SOL_SOCKET"), word("SO_LINGER"), {Kind: Struct, Elems: []Expr{
					{Kind: Field, Text: "onoff", Elems: []Expr{num(0, 1)}}, {Kind: Field, Text: "linger", Elems: []Expr{num(0, 100)}},
				}}, num(0, 8)}}
			},
			func() Call {
				return Call{Name: "setsockopt", Args: []Expr{three, word("IPPROTO_IP"), word("IP_TTL"), {Kind: List, Elems: []Expr{num(-5, 255)}}, num(4, 4)}}
			},
		}).Draw(t, "call")()
		switch rapid.IntRange(0, 2).Draw(t, "result") {
		case 0:
			c.Result = &Expected{Value: num(-1, 100)}
		case 1:
			c.Result = &Expected{Value: Expr{Kind: Int, Num: -1}, Errno: "ECONNRESET", Text: rapid.SampledFrom([]string{"", "Connection reset"}).Draw(t, "text")}
		}
		return c
	}
	who := func() Who {
		w := Who{Host: rapid.SampledFrom([]string{"client", "server"}).Draw(t, "host")}
		if rapid.Bool().Draw(t, "numbered") {
			w.First = rapid.IntRange(1, 5).Draw(t, "first")
			w.Last = w.First + rapid.IntRange(0, 5).Draw(t, "more")
		}
		return w
	}
	lines = add(lines, &Option{Name: "define", Define: "N", Value: num(0, 1000)})
	if rapid.Bool().Draw(t, "delay") {
		lines = add(lines, &Option{Name: "delay", Value: Expr{Kind: Seconds, Num: int64(secondsIn(t))}})
	}
	for _, h := range []string{"client", "server"} {
		lines = add(lines, &Step{Who: Who{Host: h}, Call: Call{Name: "socket", Args: []Expr{dots, word("SOCK_STREAM"), num(0, 0)}, Result: &Expected{Value: three}}})
	}
	var body func(depth int) []Line
	body = func(depth int) []Line {
		var b []Line
		for range rapid.IntRange(0, 3).Draw(t, "lines") {
			if depth < 3 && rapid.IntRange(0, 3).Draw(t, "repeat") == 0 {
				b = add(b, &Repeat{Times: num(0, 10), Comment: trailing.Draw(t, "brace"), Body: body(depth + 1)})
			} else {
				b = add(b, &Step{At: at(), Call: call()})
			}
		}
		return b
	}
	for range rapid.IntRange(0, 8).Draw(t, "lines") {
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			lines = add(lines, &Repeat{Who: who(), Times: num(0, 1000), Comment: trailing.Draw(t, "brace"), Body: body(0)})
		case 1:
			o := &Observation{At: secondsIn(t), Name: "state", Who: Who{Host: "client"}, FD: 3, Child: rapid.Int64Range(0, 9).Draw(t, "child")}
			o.State = rapid.SampledFrom(append(trace.States(), 0)).Draw(t, "state")
			lines = add(lines, o)
		case 2:
			o := &Observation{At: secondsIn(t), Name: "info", Who: Who{Host: "server"}, FD: 3, Item: rapid.SampledFrom([]string{"cwnd", "SND.UNA", "local address"}).Draw(t, "item")}
			if rapid.Bool().Draw(t, "want") {
				e := str()
				o.Want = &e
			}
			lines = add(lines, o)
		case 3:
			lines = add(lines, &WorldChange{At: secondsIn(t), What: trace.LinkGoesDown})
		default:
			lines = add(lines, &Step{Who: who(), At: at(), Call: call()})
		}
	}
	return lines
}

func TestHugeOrDeepTextEndsInOneError(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a megabyte of parentheses": head + "server: close" + strings.Repeat("(", 1<<20-100),
		"a megabyte of brackets":    head + "server: close(" + strings.Repeat("[", 1<<20-100),
		"a megabyte of braces":      head + "server: close(" + strings.Repeat("{", 1<<20-100),
		"a megabyte of repeats":     strings.Repeat("server: repeat 1000000 {\n", 1<<20/25),
		"deep repeats":              head + "server: " + strings.Repeat("repeat 1000000 {\n", 9),
		"more than a megabyte":      strings.Repeat(" ", 1<<20+1),
		"a number of a megabyte":    head + "server: close(" + strings.Repeat("9", 1<<20-100) + ")",
		"a word of a megabyte":      head + "server: " + strings.Repeat("a", 1<<20-100) + "(3)",
		"a string of a megabyte":    head + "server: close(\"" + strings.Repeat("a", 1<<20-100) + "\")",
		"a comment without an end":  "/*" + strings.Repeat("/*", 1<<19-10),
		"many programs":             strings.Repeat("server.1-100000: socket(..., SOCK_STREAM, 0) = 3\n", 20_000),
		"a list of many":            head + "server: close([" + strings.Repeat("1,", 1<<19-100) + "1])",
		"or of many":                head + "server: close(" + strings.Repeat("A|", 1<<19-100) + "1)",
		"many states":               head + "1 state(server 3) = A" + strings.Repeat("-A", 1<<19-100),
	} {
		t.Run(name, func(t *testing.T) {
			if UnderRace && name == "many programs" {
				t.Skip("two million lines for programs take five seconds with the race detector, and there is one goroutine")
			}
			_, err := Parse("huge.story", text)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("Parse: %v, want an *Error", err)
			}
			if len(err.Error()) > 1000 {
				t.Errorf("an error of %d octets: %.100s…", len(err.Error()), err)
			}
		})
	}
}

func TestRepeatsOfNothingMakeNoCall(t *testing.T) {
	s, err := Parse("nothing.story", head+"server: "+strings.Repeat("repeat 1000000 {\n", 8)+strings.Repeat("}\n", 8)+
		"server: repeat 0 {\nclose(3)\n}\n")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.code.programs[0].ops); n != 1 {
		t.Errorf("the program has %d ops, want 1: the socket", n)
	}
}

func TestWithChangesTheTextInPlace(t *testing.T) {
	s, err := Parse("a.story", "// x\n--define=N=5 // how many\n--define=M=1\n"+head+"server: listen(3, N)\n")
	if err != nil {
		t.Fatal(err)
	}
	with, err := s.With("N", "-1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Replace(s.Text, "N=5", "N=-1", 1), with.Text); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := with.code.programs[0].ops[1].step.call.N; got != -1 {
		t.Errorf("the backlog is %d, want -1", got)
	}
	for _, test := range [][3]string{
		{"K", "1", "a defines no word K: it defines N, M"},
		{"N", "1 2", "--define=N=: expected one number, word or string, found `2`"},
		{"N", "", "--define=N=: expected a number, a word or a string, found the end of the file"},
		{"N", "5\nserver: close(3)", "--define=N=: expected one number, word or string, found the end of the line"},
		{"N", "x", "a.story:5:19: expected a backlog, from -1 to 2147483647, found `N`, which is x"},
	} {
		if _, err := s.With(test[0], test[1]); fmt.Sprint(err) != test[2] {
			t.Errorf("With(%q, %q): %v, want %s", test[0], test[1], err, test[2])
		}
	}
}

func TestBuiltinStoriesAreCanonical(t *testing.T) {
	files, err := storyFiles.ReadDir("stories")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(Names()) {
		t.Errorf("%d files for %d names", len(files), len(Names()))
	}
	for _, name := range Names() {
		s, err := Builtin(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(s.Format(), s.Text); diff != "" {
			t.Errorf("%s is not as Format writes it (-want +got)\n%s", name, diff)
		}
		checkFormat(t, s)
	}
}

func TestUnknownStoryNamesThoseNearIt(t *testing.T) {
	for name, want := range map[string]string{
		"plane":     `unknown story "plane": near it are plain`,
		"Syn_Lost":  `unknown story "Syn_Lost": near it are syn-lost, synack-lost`,
		"half-open": `unknown story "half-open": near it are half-open-a, half-open-b`,
		"qqqqqqqqq": `unknown story "qqqqqqqqq": the stories are ` + strings.Join(Names(), ", "),
		"":          `unknown story "": the stories are ` + strings.Join(Names(), ", "),
	} {
		if _, err := Builtin(name); fmt.Sprint(err) != want {
			t.Errorf("Builtin(%q): %v, want %s", name, err, want)
		}
	}
}

// Each story is cut off at each octet, or at some with the race detector, and is given a parenthesis there.
func TestTornStoryNeverPanics(t *testing.T) {
	t.Parallel()
	for _, name := range Names() {
		s, err := Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range s.Text {
			if UnderRace && i%7 != 0 {
				continue
			}
			for _, text := range []string{s.Text[:i], s.Text[:i] + ")" + s.Text[i:]} {
				if _, err := Parse("x.story", text); err != nil {
					checkError(t, text, err)
				}
			}
		}
	}
}

// check reads a text: it is a story that formatting does not change, or there is one *Error with a place in the text.
func check(t *testing.T, text string) {
	s, err := Parse("x.story", text)
	if err == nil {
		checkFormat(t, s)
		return
	}
	checkError(t, text, err)
}

func checkError(t *testing.T, text string, err error) {
	var e *Error
	switch {
	case !errors.As(err, &e):
		t.Fatalf("%v (%T) is no *Error", err, err)
	case e.Line < 1 || e.Column < 1 || e.Line > strings.Count(text, "\n")+1:
		t.Fatalf("%v: no place in the text", err)
	case e.Msg == "" || strings.Contains(e.Msg, "\n"):
		t.Fatalf("%q: want one line", e.Msg)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range Names() {
		s, err := Builtin(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(s.Text)
	}
	f.Add("--fault=\"reorder server data#1-2 50% 3\"\nclient.1-9: repeat 2 { /* a\nb */\n+.5 connect(3, [::1]:80) = -1 EPIPE (x) // y\n}\n.5 info(client.2 3#1, \"cwnd\") = 1")
	f.Fuzz(func(t *testing.T, text string) { check(t, text) })
}
