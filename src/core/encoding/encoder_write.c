/*
 * encoder_write.c
 *		Writing an encoder as bytes (drawn in encoder_bytes.c).
 */
#include "core/encoding/encoder_state.h"

static void
put_number_key(RsJsonOut *out, const char *key, double number)
{
	rs_json_put(out, key);
	rs_json_put_number(out, number);
}

static void
put_uint_key(RsJsonOut *out, const char *key, uint64_t number)
{
	rs_json_put(out, key);
	rs_json_put_uint(out, number);
}

static void
put_word_key(RsJsonOut *out, const char *key, const char *word)
{
	rs_json_put(out, key);
	rs_json_put_word(out, word);
}

static void
put_vocabulary(RsJsonOut *out, const RsVocabulary *v)
{
	rs_json_put(out, ", \"categories\": ");
	rs_json_put_categories(out, v);
	rs_json_put(out, ", \"counts\": [");
	for (uint32_t i = 0; i < v->n; i++)
		put_uint_key(out, i > 0 ? ", " : "", v->count[i]);
	rs_json_put(out, "]");
}

static void
put_column(RsJsonOut *out, const RsColumn *c)
{
	rs_json_put(out, "{\"column\": ");
	rs_json_put_text(out, c->name, c->name_length);
	if (c->imputed && c->number)
		put_number_key(out, ", \"impute\": ", c->impute_number);
	else if (c->imputed)
	{
		rs_json_put(out, ", \"impute\": ");
		rs_json_put_text(out, c->impute_text.data, c->impute_text.length);
	}
	if (c->log)
		rs_json_put(out, ", \"log\": true");
	if (c->scale != RS_SCALE_NONE)
	{
		put_word_key(out, ", \"scale\": ", rs_scale_words[c->scale]);
		put_number_key(out, ", \"center\": ", c->center);
		put_number_key(out, ", \"divisor\": ", c->divisor);
	}
	for (uint32_t i = 0; i < c->n_splits; i++)
		put_number_key(out, i == 0 ? ", \"splits\": [" : ", ", c->splits[i]);
	if (c->n_splits > 0)
		rs_json_put(out, "]");
	if (c->encode != RS_ENCODE_NONE)
		put_word_key(out, ", \"encode\": ", rs_encode_words[c->encode]);
	put_word_key(out, ", \"unseen\": ", rs_unseen_words[c->unseen]);
	if (c->drop_last)
		rs_json_put(out, ", \"drop_last\": true");
	if (c->separator.data != NULL)
	{
		rs_json_put(out, ", \"separator\": ");
		rs_json_put_text(out, c->separator.data, c->separator.length);
	}
	if (c->size > 0)
		put_uint_key(out, ", \"size\": ", c->size);
	if (!c->number && c->encode != RS_ENCODE_HASH)
		put_vocabulary(out, &c->vocabulary);
	rs_json_put(out, "}");
}

RsStatus
rs_encoder_write(RsContext *ctx, const RsEncoder *encoder, RsSink sink, void *opaque)
{
	RsJsonOut out;

	rs_json_out(&out, ctx, sink, opaque);
	put_uint_key(&out, "{\"recsys_encoder\": ", RS_ENCODER_VERSION);
	put_uint_key(&out, ", \"rows\": ", encoder->rows);
	rs_json_put(&out, ", \"columns\": [");
	for (uint32_t i = 0; i < encoder->n; i++)
	{
		rs_json_put(&out, i > 0 ? ", " : "");
		put_column(&out, &encoder->columns[i]);
	}
	rs_json_put(&out, "]}");
	return rs_json_flush(&out);
}
