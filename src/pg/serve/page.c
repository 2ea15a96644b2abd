/*
 * page.c
 *		A stage that leaves out the rows of the pages before.
 *
 * All of them are ranked again: in one snapshot the same rows, so that pages
 * neither overlap nor miss one.
 */
#include "pg/serve/page.h"

#define AT_ONCE 1024

typedef struct Page
{
	RspgStage stage;
	uint32 skip; /* still to be left out */
} Page;

static uint32
next(RspgStage *stage, RspgPick *picks, uint32 n)
{
	Page *page = (Page *) stage;
	RspgPick *before;

	if (page->skip > 0)
	{
		before = palloc(Min(page->skip, AT_ONCE) * sizeof(RspgPick));
		while (page->skip > 0)
		{
			uint32 wanted = Min(page->skip, AT_ONCE);

			page->skip -= wanted;
			if (rspg_stage_next(stage->below, before, wanted) < wanted)
				return 0;
		}
		pfree(before);
	}
	return rspg_stage_next(stage->below, picks, n);
}

RspgStage *
rspg_page_stage(const RspgRequest *request, RspgAnswer *answer, RspgStage *below)
{
	Page *page;

	if (request->skip == 0)
		return below;
	page = palloc0(sizeof(Page));
	page->stage.next = next;
	page->stage.below = below;
	page->skip = request->skip;
	return &page->stage;
}
