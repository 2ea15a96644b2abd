/*
 * hex.h
 *		Hexadecimal digits of an escape in JSON.
 */
#ifndef RS_HEX_H
#define RS_HEX_H

/* The number that four digits stand for; -1 where one is none or end comes first. */
static inline int
rs_hex4(const char *at, const char *end)
{
	int number = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++)
	{
		char c = at[i];

		if (c >= '0' && c <= '9')
			number = number * 16 + (c - '0');
		else if (c >= 'a' && c <= 'f')
			number = number * 16 + (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			number = number * 16 + (c - 'A' + 10);
		else
			return -1;
	}
	return number;
}

#endif
