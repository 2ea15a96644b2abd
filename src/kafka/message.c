/*
 * message.c
 *		Headers and memory of a message, which librdkafka keeps.
 */
#include "kafka/message.h"

#include "kafka/api.h"

int
rsk_message_headers(const RskMessage *message, RskHeader *headers, int max)
{
	rd_kafka_headers_t *list;
	int n = 0;
	RskHeader header;

	if (message->handle == NULL)
	{
		for (; n < message->n_headers && n < max; n++)
			headers[n] = message->headers[n];
		return message->n_headers;
	}
	if (rsk_api.message_headers(message->handle, &list) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return 0;
	while (rsk_api.header_get_all(list, n, &header.name, &header.value, &header.length) ==
		   RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		if (n < max)
			headers[n] = header;
		n++;
	}
	return n;
}

void
rsk_messages_free(RskMessage *messages, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (messages[i].handle != NULL)
			rsk_api.message_destroy(messages[i].handle);
		messages[i].handle = NULL;
	}
}
