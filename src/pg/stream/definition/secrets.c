/*
 * secrets.c
 *		recsys.secrets_file: passwords and keys that streams use by name.
 *
 * A JSON file of the server, so that no secret is in SQL text, a table or a dump:
 *	{"orders": {"brokers": "kafka1:9092", "roles": ["shop"],
 *		"sasl.username": "shop", "sasl.password": "…"}}
 * A secret serves only streams of its roles and their members, and is sent only
 * to its brokers: a role cannot have it sent to a broker of its own.  The file is
 * read when a consumer is opened, and not kept.  Errors quote nothing of it.
 */
#include "pg/stream/definition/secrets.h"

#include <sys/stat.h>
#include <unistd.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "pg/base/jsonb_read.h"
#include "pg/stream/definition/brokers.h"

#define MAX_FILE_BYTES (1024 * 1024)
#define MAX_SETTING_NAME 64

/*
 * recsys.secrets_file: relative to the data directory; empty: no secrets.
 */
static char *recsys_secrets_file = NULL;

static char *read_file(void);
static Jsonb *parse(char *text);
static JsonbContainer *find_entry(Jsonb *file, const char *name);
static bool serves(JsonbContainer *entry, Oid owner, const char *brokers);
static int copy_settings(JsonbContainer *entry, const char *secret, MemoryContext mcxt,
						 RskSetting **settings);

void
rspg_secrets_init(void)
{
	DefineCustomStringVariable(
		"recsys.secrets_file", "Sets the file of the passwords and keys that streams use by name.",
		"A relative path starts at the data directory.", &recsys_secrets_file, "", PGC_SIGHUP,
		GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
}

int
rspg_secret_settings(const char *name, Oid owner, const char *brokers, RskSetting **settings)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(caller, "recsys secrets", ALLOCSET_DEFAULT_SIZES);
	JsonbContainer *entry;
	int n;

	MemoryContextSwitchTo(scratch);
	entry = find_entry(parse(read_file()), name);
	/* One error for both, lest anybody learns which secrets there are */
	if (entry == NULL || !serves(entry, owner, brokers))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("secret \"%s\" does not exist for role \"%s\" and brokers \"%s\"", name,
						GetUserNameFromId(owner, true), brokers),
				 errhint("An entry of the secrets file has the stream's owner in \"roles\", and "
						 "the same \"brokers\" as the stream.")));
	n = copy_settings(entry, name, caller, settings);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(scratch);
	return n;
}

/* Its path is for superusers and the log only. */
static void
fail_file(const char *what)
{
	ereport(ERROR, (errcode(ERRCODE_CONFIG_FILE_ERROR), errmsg("secrets file %s", what),
					errdetail_log("The file is \"%s\".", recsys_secrets_file)));
}

/*
 * The rule of the server's own key file: nobody but the server's user, or root
 * and a group that the server is in, can read it.
 */
static void
check_mode(const struct stat *status)
{
	if (!S_ISREG(status->st_mode))
		fail_file("is not a regular file");
	if (status->st_uid != geteuid() && status->st_uid != 0)
		fail_file("must belong to the server's user or root");
	if (status->st_mode & (status->st_uid == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO))
		fail_file("can be read by others: its mode must be 0600, or 0640 if it is root's");
	if (status->st_size > MAX_FILE_BYTES)
		fail_file("is longer than 1 MB");
}

static char *
read_file(void)
{
	struct stat status;
	FILE *file;
	char *text;
	size_t length;

	if (recsys_secrets_file == NULL || recsys_secrets_file[0] == '\0')
		ereport(ERROR, (errcode(ERRCODE_CONFIG_FILE_ERROR), errmsg("there is no secrets file"),
						errhint("A superuser sets recsys.secrets_file to the path of one.")));
	file = AllocateFile(recsys_secrets_file, "r");
	if (file == NULL)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not open secrets file: %m"),
						errdetail_log("The file is \"%s\".", recsys_secrets_file)));
	/* of what was opened, not of what has the name now */
	if (fstat(fileno(file), &status) != 0)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not stat secrets file: %m")));
	check_mode(&status);
	text = palloc(status.st_size + 1);
	length = fread(text, 1, status.st_size, file);
	if (ferror(file))
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not read secrets file: %m")));
	text[length] = '\0';
	FreeFile(file);
	if (strlen(text) != length || !pg_verify_mbstr(GetDatabaseEncoding(), text, length, true))
		fail_file("is not text in the database's encoding");
	return text;
}

/*
 * The parser's own error quotes the text around it, which may be a secret: say
 * less.  It holds nothing but memory, so no subtransaction is needed.
 */
static Jsonb *
parse(char *text)
{
	MemoryContext mcxt = CurrentMemoryContext;
	Jsonb *volatile json = NULL;

	PG_TRY();
	{
		json = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	}
	PG_CATCH();
	{
		int code = geterrcode();

		MemoryContextSwitchTo(mcxt);
		if (ERRCODE_TO_CATEGORY(code) != ERRCODE_DATA_EXCEPTION &&
			ERRCODE_TO_CATEGORY(code) != ERRCODE_PROGRAM_LIMIT_EXCEEDED)
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
	if (json == NULL)
		fail_file("is not JSON");
	if (!JB_ROOT_IS_OBJECT(json))
		fail_file("is not a JSON object");
	return json;
}

static JsonbContainer *
find_entry(Jsonb *file, const char *name)
{
	JsonbValue *entry = getKeyJsonValueFromContainer(&file->root, name, strlen(name), NULL);

	if (entry == NULL || entry->type != jbvBinary || !JsonContainerIsObject(entry->val.binary.data))
		return NULL;
	return entry->val.binary.data;
}

/* Is the role one of "roles", or a member of one with its rights? */
static bool
has_role(JsonbContainer *entry, Oid role)
{
	JsonbValue *roles = rspg_jsonb_member(entry, "roles");
	JsonbContainer *array = roles != NULL ? rspg_jsonb_array(roles) : NULL;
	JsonbIterator *iterator;
	JsonbValue item;
	Oid listed;

	if (array == NULL)
		return false;
	iterator = JsonbIteratorInit(array);
	while (rspg_jsonb_next_element(&iterator, &item))
	{
		if (item.type != jbvString)
			continue;
		listed = get_role_oid(rspg_jsonb_string(&item), true);
		if (OidIsValid(listed) && has_privs_of_role(role, listed))
			return true;
	}
	return false;
}

static bool
serves(JsonbContainer *entry, Oid owner, const char *brokers)
{
	JsonbValue *value = rspg_jsonb_member(entry, "brokers");
	char *listed = value != NULL ? rspg_jsonb_string(value) : NULL;

	return listed != NULL && has_role(entry, owner) &&
		   strcmp(rspg_brokers_normalize(listed), brokers) == 0;
}

/* Its text in mcxt, or an error. */
static char *
text_of(const JsonbValue *value, const char *secret, const char *name, MemoryContext mcxt)
{
	char *text = rspg_jsonb_text(value);

	if (text == NULL)
		ereport(ERROR, (errcode(ERRCODE_CONFIG_FILE_ERROR),
						errmsg("setting \"%s\" of secret \"%s\" must be a string", name, secret)));
	return MemoryContextStrdup(mcxt, text);
}

static int
copy_settings(JsonbContainer *entry, const char *secret, MemoryContext mcxt, RskSetting **settings)
{
	JsonbIterator *iterator = JsonbIteratorInit(entry);
	JsonbValue item;
	char *name;
	char error[256];
	int n = 0;

	*settings = MemoryContextAllocZero(mcxt, sizeof(RskSetting) * (JsonContainerSize(entry) + 1));
	while (rspg_jsonb_next_member(&iterator, &name, &item))
	{
		name[pg_mbcliplen(name, (int) strlen(name), MAX_SETTING_NAME)] = '\0';
		if (strcmp(name, "brokers") == 0 || strcmp(name, "roles") == 0)
			continue;
		(*settings)[n].name = MemoryContextStrdup(mcxt, name);
		(*settings)[n].value = text_of(&item, secret, name, mcxt);
		if (!rsk_setting_check(name, (*settings)[n].value, true, error, sizeof(error)))
			ereport(ERROR, (errcode(ERRCODE_CONFIG_FILE_ERROR),
							errmsg("secret \"%s\": %s", secret, error)));
		n++;
	}
	return n;
}
