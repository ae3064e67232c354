/*
 * Redrawn five times a second by a timer, in one write. The rate is smoothed, so that the time left
 * does not jump. No floating point: this runs beside tasks.
 */
#include "cmd/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/say.h"

#define REDRAW    MILLISECONDS(200)
#define BAR_CELLS 24

static void
draw(struct progress *p, uint64_t now)
{
	char line[256], size[SAY_SIZE_MAX], rate[SAY_SIZE_MAX], left[32] = "", bar[BAR_CELLS + 1];
	uint64_t span = now - p->drawn_at, fresh;
	int n;

	if (span > 0 && p->drawn_at != 0) {
		fresh =
		    (uint64_t)((unsigned __int128)(p->done - p->drawn_done) * SECONDS(1) / span);
		p->rate = p->rate == 0 ? fresh : (p->rate * 7 + fresh) / 8;
	}
	p->drawn_at = now;
	p->drawn_done = p->done;
	(void)say_size(p->done, size);
	(void)say_size(p->rate, rate);
	if (p->total == 0) {
		n = snprintf(line, sizeof(line), "\r%s %s, %s/s\033[K", p->label, size, rate);
	} else {
		uint64_t done = MIN(p->done, p->total);
		size_t cells = (size_t)((unsigned __int128)done * BAR_CELLS / p->total);
		uint64_t seconds = p->rate > 0 ? (p->total - done) / p->rate : 0;

		memset(bar, '.', BAR_CELLS);
		memset(bar, '#', cells);
		bar[BAR_CELLS] = '\0';
		if (p->rate > 0)
			(void)snprintf(left, sizeof(left), ", %" PRIu64 ":%02" PRIu64 " left",
			    MIN(seconds / 60, 99999), seconds % 60);
		n = snprintf(line, sizeof(line), "\r%s [%s] %3" PRIu64 "%% %s, %s/s%s\033[K",
		    p->label, bar, (uint64_t)((unsigned __int128)done * 100 / p->total), size, rate,
		    left);
	}
	if (n > 0)
		(void)!write(STDERR_FILENO, line, MIN((size_t)n, sizeof(line) - 1));
	p->shown = true;
}

static void
on_redraw(void *arg)
{
	struct progress *p = arg;

	draw(p, env_now(p->timer.env));
	timer_start(&p->timer, REDRAW);
}

void
progress_start(struct progress *p, struct env *env, const char *label, bool quiet)
{
	*p = (struct progress){ .label = label };
	timer_init(&p->timer, env, on_redraw, p);
	p->running = !quiet && isatty(STDERR_FILENO) == 1;
	if (p->running)
		timer_start(&p->timer, REDRAW);
}

void
progress_update(struct progress *p, uint64_t done, uint64_t total)
{
	p->done = done;
	p->total = total;
	if (p->drawn_done > done)
		p->drawn_done = done;
}

void
progress_stop(struct progress *p)
{
	if (!p->running)
		return;
	timer_stop(&p->timer);
	if (p->shown)
		(void)!write(STDERR_FILENO, "\r\033[K", 4);
	p->running = p->shown = false;
}
