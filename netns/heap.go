package netns

// A heap hands out its items one by one, the first of them by before.
type heap[T ordered[T]] struct{ items []T }

// ordered is what comes before others of its kind.
type ordered[T any] interface{ before(T) bool }

func (h *heap[T]) push(v T) {
	h.items = append(h.items, v)
	h.rise(len(h.items) - 1)
}

// pop takes the first item out. There must be one.
func (h *heap[T]) pop() T {
	first, last := h.items[0], len(h.items)-1
	h.items[0] = h.items[last]
	clear(h.items[last:])
	h.items = h.items[:last]
	h.sink(0)
	return first
}

// first is the first item; ok is false without one.
func (h *heap[T]) first() (v T, ok bool) {
	if len(h.items) == 0 {
		return v, false
	}
	return h.items[0], true
}

// changed puts items[i], whose place among the others is another now, there.
func (h *heap[T]) changed(i int) {
	h.rise(i)
	h.sink(i)
}

func (h *heap[T]) rise(i int) {
	for i > 0 {
		up := (i - 1) / 2
		if !h.items[i].before(h.items[up]) {
			return
		}
		h.items[i], h.items[up] = h.items[up], h.items[i]
		i = up
	}
}

func (h *heap[T]) sink(i int) {
	for {
		down := 2*i + 1
		if down >= len(h.items) {
			return
		}
		if right := down + 1; right < len(h.items) && h.items[right].before(h.items[down]) {
			down = right
		}
		if !h.items[down].before(h.items[i]) {
			return
		}
		h.items[i], h.items[down] = h.items[down], h.items[i]
		i = down
	}
}
