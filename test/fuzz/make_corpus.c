/*
 * make_corpus.c
 *		Writes the seed corpus: a small model of each algorithm and id type.
 *
 *		make_corpus FOLDER
 */
#include "../unit/models.h"

int
main(int argc, char **argv)
{
	static const char *const types[] = {"bigint", "uuid", "text"};

	if (argc != 2)
		return 2;
	for (int a = 0; model_table[a] != NULL; a++)
		for (int type = RS_ID_BIGINT; type <= RS_ID_TEXT; type++)
		{
			char path[1024];
			size_t length;
			char *bytes = model_bytes(model_table[a], (RsIdType) type, &length);
			FILE *file;

			snprintf(path, sizeof(path), "%s/%s-%s.safetensors", argv[1], model_table[a]->name,
					 types[type]);
			file = fopen(path, "wb");
			if (file == NULL || fwrite(bytes, 1, length, file) != length || fclose(file) != 0)
			{
				perror(path);
				return 1;
			}
			free(bytes);
		}
	return 0;
}
