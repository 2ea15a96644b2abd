/*
 * api.h
 *		librdkafka, opened at run time.  For files of src/kafka only.
 *
 * recsys.so must load where librdkafka is not installed, and a session of a user
 * must not carry its threads, so nothing links to it: rsk_api_load() opens it,
 * and calls go through rsk_api.  Types and constants come from its header, which
 * is of the same major version.
 */
#ifndef RSK_API_H
#define RSK_API_H

#include <stdbool.h>
#include <stddef.h>

#include <librdkafka/rdkafka.h>

/* X(name) for each function rd_kafka_name that we call. */
#define RSK_API_FUNCTIONS(X)                                                                       \
	X(version)                                                                                     \
	X(version_str)                                                                                 \
	X(err2str)                                                                                     \
	X(err2name)                                                                                    \
	X(conf_new)                                                                                    \
	X(conf_destroy)                                                                                \
	X(conf_set)                                                                                    \
	X(conf_set_opaque)                                                                             \
	X(conf_set_log_cb)                                                                             \
	X(conf_set_error_cb)                                                                           \
	X(new)                                                                                         \
	X(destroy_flags)                                                                               \
	X(set_log_queue)                                                                               \
	X(opaque)                                                                                      \
	X(fatal_error)                                                                                 \
	X(poll_set_consumer)                                                                           \
	X(assign)                                                                                      \
	X(assignment)                                                                                  \
	X(queue_get_consumer)                                                                          \
	X(queue_io_event_enable)                                                                       \
	X(queue_destroy)                                                                               \
	X(consume_batch_queue)                                                                         \
	X(message_destroy)                                                                             \
	X(message_timestamp)                                                                           \
	X(message_headers)                                                                             \
	X(header_get_all)                                                                              \
	X(topic_partition_list_new)                                                                    \
	X(topic_partition_list_add)                                                                    \
	X(topic_partition_list_destroy)                                                                \
	X(topic_new)                                                                                   \
	X(topic_destroy)                                                                               \
	X(metadata)                                                                                    \
	X(metadata_destroy)                                                                            \
	X(clusterid)                                                                                   \
	X(mem_free)                                                                                    \
	X(get_watermark_offsets)                                                                       \
	X(offsets_for_times)

typedef struct RskApi
{
#define RSK_API_MEMBER(name) __typeof__(&rd_kafka_##name) name;
	RSK_API_FUNCTIONS(RSK_API_MEMBER)
#undef RSK_API_MEMBER
} RskApi;

/* Filled by rsk_api_load(); the same for the life of the process. */
extern RskApi rsk_api;

/* Open the library on the first call; false with a message in error when it is
 * not there or too old. */
extern bool rsk_api_load(char *error, size_t size);

#endif
