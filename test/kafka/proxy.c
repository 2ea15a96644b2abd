/*
 * proxy.c
 *		A network between a Kafka client and its brokers that can be made bad.
 *
 *	proxy HOST:PORT[,HOST:PORT…]
 *
 * Listens on a port for each broker, prints "bootstrap 127.0.0.1:PORT,…", then
 * takes commands, a line each, and answers "ok" or "error: …":
 *
 *	cut				close all connections; new ones are let in
 *	down			close them and take no new ones, until resume
 *	stall			keep connections, pass nothing on, until resume
 *	slow N			pass on N bytes a second to clients (a burst of a tenth), until resume
 *	delay MS		pass everything on so much later, until resume
 *	corrupt N		flip a byte in each of the next N answers to Fetch that carry messages
 *	resume			all well again
 *	stats			answers "ok CONNECTIONS BYTES", accepted and to clients so far
 *	quit			as does the end of the input
 *
 * A broker tells clients the addresses of all brokers (Metadata, FindCoordinator),
 * and they would go there past us.  So the proxy reads the frames, remembers
 * which answers belong to such requests, and in these puts its own ports in the
 * place of the brokers': an address is the host's text and a 32-bit port, so the
 * length stays.  Without TLS only; for that let the broker advertise the proxy.
 */
#include <sys/prctl.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "mock.h"

#define MAX_BROKERS 8
#define MAX_LINKS 256
#define MAX_PENDING 1024
#define READ_BYTES 65536
#define QUEUE_BYTES (4 * 1024 * 1024)

enum
{
	API_FETCH = 1,
	API_METADATA = 3,
	API_FIND_COORDINATOR = 10
};

typedef struct Broker
{
	char host[256];
	int port;
	int listener;
	int our_port;
} Broker;

/* Bytes to be passed on, in the order and not before the time they are due. */
typedef struct Piece
{
	struct Piece *next;
	double due;
	size_t length;
	size_t sent;
	unsigned char bytes[];
} Piece;

/* One direction of a connection.  A frame is a 32-bit length and as many bytes. */
typedef struct Flow
{
	int from;
	int to;
	unsigned char *frame; /* read, but its frame is not complete */
	size_t length;
	size_t size;
	Piece *first;
	Piece *last;
	size_t queued;
	bool ended;
} Flow;

typedef struct Link
{
	bool used;
	int pending_api[MAX_PENDING]; /* requests not answered yet; brokers answer in order */
	unsigned pending_begin;
	unsigned pending_end;
	Flow to_broker;
	Flow to_client;
} Link;

static Broker brokers[MAX_BROKERS];
static int n_brokers;
static Link links[MAX_LINKS];

static bool is_down;
static bool is_stalled;
static double bytes_per_second; /* 0 = no limit */
static double allowance;
static double allowance_at;
static int delay_ms;
static int n_corrupt;
static long n_accepted;
static long n_passed;

/* --- frames --- */

static uint32_t
get32(const unsigned char *bytes)
{
	return (uint32_t) bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
}

static void
put32(unsigned char *bytes, uint32_t value)
{
	bytes[0] = value >> 24;
	bytes[1] = value >> 16;
	bytes[2] = value >> 8;
	bytes[3] = value;
}

/* Put our ports in the place of the brokers'. */
static void
rewrite_ports(unsigned char *frame, size_t length)
{
	for (int i = 0; i < n_brokers; i++)
	{
		size_t host = strlen(brokers[i].host);

		for (size_t at = 4; at + host + 4 <= length; at++)
			if (memcmp(frame + at, brokers[i].host, host) == 0 &&
				get32(frame + at + host) == (uint32_t) brokers[i].port)
				put32(frame + at + host, brokers[i].our_port);
	}
}

static void
push_piece(Flow *flow, const unsigned char *bytes, size_t length)
{
	Piece *piece = malloc(sizeof *piece + length);

	if (piece == NULL)
		mock_fail("proxy", "out of memory");
	memcpy(piece->bytes, bytes, length);
	piece->next = NULL;
	piece->length = length;
	piece->sent = 0;
	piece->due = mock_seconds() + delay_ms / 1000.0;
	if (flow->last != NULL)
		flow->last->next = piece;
	else
		flow->first = piece;
	flow->last = piece;
	flow->queued += length;
}

/*
 * A byte in the middle: the end may be cut off and asked for again.  In JSON if
 * there is any: what Kafka's checksum covers begins behind a batch's offset, and
 * no client notices when that is changed.
 */
static unsigned char *
payload_byte(unsigned char *frame, size_t length)
{
	for (size_t i = length / 2; i + 1 < length; i++)
		if (frame[i] == '{' && frame[i + 1] == '"')
			return &frame[i];
	return &frame[length / 2];
}

/* What a whole frame means to us. */
static void
heed_frame(Link *link, bool is_answer, unsigned char *frame, size_t length)
{
	int api;

	if (!is_answer)
	{
		if (length >= 6 && link->pending_end - link->pending_begin < MAX_PENDING)
			link->pending_api[link->pending_end++ % MAX_PENDING] = frame[4] << 8 | frame[5];
		return;
	}
	if (link->pending_begin == link->pending_end)
		return;
	api = link->pending_api[link->pending_begin++ % MAX_PENDING];
	if (api == API_METADATA || api == API_FIND_COORDINATOR)
		rewrite_ports(frame, length);
	else if (api == API_FETCH && length > 200 && n_corrupt > 0)
	{
		*payload_byte(frame, length) ^= 0x55;
		n_corrupt--;
	}
}

/* Pass on each complete frame. */
static void
take_frames(Link *link, Flow *flow, bool is_answer)
{
	size_t begin = 0;

	while (flow->length - begin >= 4)
	{
		size_t length = 4 + (size_t) get32(flow->frame + begin);

		if (flow->length - begin < length)
			break;
		heed_frame(link, is_answer, flow->frame + begin, length);
		push_piece(flow, flow->frame + begin, length);
		begin += length;
	}
	memmove(flow->frame, flow->frame + begin, flow->length - begin);
	flow->length -= begin;
}

/* --- connections --- */

static void
free_flow(Flow *flow)
{
	while (flow->first != NULL)
	{
		Piece *next = flow->first->next;

		free(flow->first);
		flow->first = next;
	}
	free(flow->frame);
	memset(flow, 0, sizeof *flow);
}

static void
close_link(Link *link)
{
	close(link->to_broker.from);
	close(link->to_broker.to);
	free_flow(&link->to_broker);
	free_flow(&link->to_client);
	memset(link, 0, sizeof *link);
}

static void
close_links(void)
{
	for (int i = 0; i < MAX_LINKS; i++)
		if (links[i].used)
			close_link(&links[i]);
}

static struct sockaddr_in
address_of(const char *host, int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct hostent *entry = gethostbyname(host);

	if (entry == NULL || entry->h_addrtype != AF_INET)
		mock_fail("host", host);
	memcpy(&address.sin_addr, entry->h_addr_list[0], sizeof address.sin_addr);
	return address;
}

static void
make_ready(int fd)
{
	int on = 1;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void
accept_link(const Broker *broker)
{
	struct sockaddr_in address = address_of(broker->host, broker->port);
	int client = accept(broker->listener, NULL, NULL);
	int server = socket(AF_INET, SOCK_STREAM, 0);
	Link *link = NULL;

	for (int i = 0; i < MAX_LINKS && link == NULL; i++)
		if (!links[i].used)
			link = &links[i];
	if (client < 0 || server < 0 || link == NULL || is_down ||
		connect(server, (struct sockaddr *) &address, sizeof address) != 0)
	{
		if (client >= 0)
			close(client);
		if (server >= 0)
			close(server);
		return;
	}
	make_ready(client);
	make_ready(server);
	link->used = true;
	link->to_broker.from = link->to_client.to = client;
	link->to_broker.to = link->to_client.from = server;
	n_accepted++;
}

static void
read_flow(Link *link, Flow *flow)
{
	ssize_t n;

	if (flow->size - flow->length < READ_BYTES)
	{
		flow->size = flow->length * 2 + READ_BYTES;
		flow->frame = realloc(flow->frame, flow->size);
		if (flow->frame == NULL)
			mock_fail("proxy", "out of memory");
	}
	n = read(flow->from, flow->frame + flow->length, READ_BYTES);
	if (n > 0)
	{
		flow->length += n;
		take_frames(link, flow, flow == &link->to_client);
	}
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		flow->ended = true;
}

/* Write what is due; false when the other side is gone. */
static bool
write_flow(Flow *flow, bool limited)
{
	double now = mock_seconds();

	while (flow->first != NULL && flow->first->due <= now)
	{
		Piece *piece = flow->first;
		size_t length = piece->length - piece->sent;
		ssize_t n;

		if (limited && bytes_per_second > 0)
		{
			if (allowance < 1)
				return true;
			if ((double) length > allowance)
				length = (size_t) allowance;
		}
		n = send(flow->to, piece->bytes + piece->sent, length, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		piece->sent += n;
		flow->queued -= n;
		if (limited)
		{
			allowance -= n;
			n_passed += n;
		}
		if (piece->sent < piece->length)
			continue;
		flow->first = piece->next;
		if (flow->first == NULL)
			flow->last = NULL;
		free(piece);
	}
	return true;
}

static void
serve_link(Link *link)
{
	bool alive;

	if (is_stalled)
		return;
	if (!link->to_broker.ended && link->to_broker.queued < QUEUE_BYTES)
		read_flow(link, &link->to_broker);
	if (!link->to_client.ended && link->to_client.queued < QUEUE_BYTES)
		read_flow(link, &link->to_client);
	alive = write_flow(&link->to_broker, false) && write_flow(&link->to_client, true);
	if (!alive || link->to_broker.ended || (link->to_client.ended && link->to_client.first == NULL))
		close_link(link);
}

/* --- commands --- */

static const char *
run(char *line)
{
	const char *name = strtok(line, " \t\n");
	const char *argument = strtok(NULL, " \t\n");
	double number = argument != NULL ? atof(argument) : -1;

	if (name == NULL)
		return NULL;
	if (strcmp(name, "cut") == 0)
		close_links();
	else if (strcmp(name, "down") == 0)
	{
		is_down = true;
		close_links();
	}
	else if (strcmp(name, "stall") == 0)
		is_stalled = true;
	else if (strcmp(name, "slow") == 0 && number > 0)
		bytes_per_second = number;
	else if (strcmp(name, "delay") == 0 && number >= 0)
		delay_ms = (int) number;
	else if (strcmp(name, "corrupt") == 0 && number > 0)
		n_corrupt = (int) number;
	else if (strcmp(name, "resume") == 0)
	{
		is_down = is_stalled = false;
		bytes_per_second = 0;
		delay_ms = n_corrupt = 0;
	}
	else if (strcmp(name, "stats") == 0)
	{
		printf("ok %ld %ld\n", n_accepted, n_passed);
		return NULL;
	}
	else
		return "error: unknown command";
	return "ok";
}

/* Read what there is of commands; false at quit or the end. */
static bool
take_commands(void)
{
	static char buffer[4096];
	static size_t length;
	ssize_t n = read(0, buffer + length, sizeof buffer - 1 - length);
	char *end;

	if (n <= 0)
		return false;
	length += n;
	buffer[length] = '\0';
	while ((end = strchr(buffer, '\n')) != NULL)
	{
		char line[4096];
		size_t used = end + 1 - buffer;
		const char *answer;

		memcpy(line, buffer, used);
		line[used] = '\0';
		memmove(buffer, end + 1, length - used + 1);
		length -= used;
		if (strncmp(line, "quit", 4) == 0)
			return false;
		answer = run(line);
		if (answer != NULL)
			printf("%s\n", answer);
	}
	return true;
}

/* --- start and loop --- */

static void
listen_for(Broker *broker)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t length = sizeof address;

	broker->listener = socket(AF_INET, SOCK_STREAM, 0);
	if (broker->listener < 0 ||
		bind(broker->listener, (struct sockaddr *) &address, sizeof address) != 0 ||
		listen(broker->listener, 64) != 0 ||
		getsockname(broker->listener, (struct sockaddr *) &address, &length) != 0)
		mock_fail("listen", strerror(errno));
	broker->our_port = ntohs(address.sin_port);
}

static void
read_brokers(char *list)
{
	for (char *one = strtok(list, ","); one != NULL; one = strtok(NULL, ","))
	{
		char *colon = strrchr(one, ':');

		if (colon == NULL || n_brokers == MAX_BROKERS)
			mock_fail("not HOST:PORT", one);
		*colon = '\0';
		snprintf(brokers[n_brokers].host, sizeof brokers[n_brokers].host, "%s", one);
		brokers[n_brokers].port = atoi(colon + 1);
		listen_for(&brokers[n_brokers++]);
	}
	printf("bootstrap ");
	for (int i = 0; i < n_brokers; i++)
		printf("%s127.0.0.1:%d", i > 0 ? "," : "", brokers[i].our_port);
	printf("\n");
}

/* Wait until something can be done, 10 ms at most while bytes are held back. */
static void
wait_for_work(struct pollfd *fds)
{
	int n = 0;
	bool held = bytes_per_second > 0 || delay_ms > 0;

	fds[n++] = (struct pollfd){.fd = 0, .events = POLLIN};
	for (int i = 0; i < n_brokers; i++)
		fds[n++] = (struct pollfd){.fd = brokers[i].listener, .events = POLLIN};
	for (int i = 0; i < MAX_LINKS && !is_stalled; i++)
	{
		Flow *flows[] = {&links[i].to_broker, &links[i].to_client};

		for (int f = 0; links[i].used && f < 2; f++)
		{
			if (flows[f]->queued < QUEUE_BYTES)
				fds[n++] = (struct pollfd){.fd = flows[f]->from, .events = POLLIN};
			if (flows[f]->first != NULL && !held)
				fds[n++] = (struct pollfd){.fd = flows[f]->to, .events = POLLOUT};
		}
	}
	poll(fds, n, held ? 10 : 1000);
}

static void
refill_allowance(void)
{
	double now = mock_seconds();

	allowance += (now - allowance_at) * bytes_per_second;
	if (allowance > bytes_per_second / 10 + 1)
		allowance = bytes_per_second / 10 + 1;
	allowance_at = now;
}

int
main(int argc, char **argv)
{
	static struct pollfd fds[1 + MAX_BROKERS + 4 * MAX_LINKS];

	if (argc != 2)
		mock_fail("usage", "proxy HOST:PORT[,HOST:PORT…]");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	read_brokers(argv[1]);
	for (;;)
	{
		wait_for_work(fds);
		if (fds[0].revents != 0 && !take_commands())
			break;
		for (int i = 0; i < n_brokers; i++)
			if (fds[1 + i].revents != 0)
				accept_link(&brokers[i]);
		refill_allowance();
		for (int i = 0; i < MAX_LINKS; i++)
			if (links[i].used)
				serve_link(&links[i]);
	}
	close_links();
	return 0;
}
