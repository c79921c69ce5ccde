package netns

// Known is how many sockets the driver keeps of a host.
func (s *Sandbox) Known(host string) int {
	h, err := s.host(host)
	if err != nil {
		return 0
	}
	return max(len(h.sockets), len(h.byNumber), len(h.live))
}
