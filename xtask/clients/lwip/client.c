/* The DHCP client of lwIP on a tap, whose name is the first argument. Writes a line
 * `bound <address>` whenever it has an address, and `lost` when it has none any more. */
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "lwip/dhcp.h"
#include "lwip/etharp.h"
#include "lwip/init.h"
#include "lwip/netif.h"
#include "lwip/timeouts.h"
#include "netif/ethernet.h"

#define LARGEST_FRAME 1514

static int tap;

u32_t sys_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (u32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

static err_t transmit(struct netif *netif, struct pbuf *frame) {
    unsigned char octets[LARGEST_FRAME];
    u16_t length = pbuf_copy_partial(frame, octets, sizeof octets, 0);
    (void)netif;
    return write(tap, octets, length) == length ? ERR_OK : ERR_IF;
}

static void receive(struct netif *netif) {
    unsigned char octets[LARGEST_FRAME];
    ssize_t length = read(tap, octets, sizeof octets);
    struct pbuf *frame;
    if (length <= 0) {
        return;
    }
    frame = pbuf_alloc(PBUF_RAW, (u16_t)length, PBUF_POOL);
    if (frame == NULL) {
        return;
    }
    if (pbuf_take(frame, octets, (u16_t)length) != ERR_OK || netif->input(frame, netif) != ERR_OK) {
        pbuf_free(frame);
    }
}

static void report(struct netif *netif) {
    static u32_t known;
    u32_t address = ip4_addr_get_u32(netif_ip4_addr(netif));
    if (address == known) {
        return;
    }
    known = address;
    if (address == 0) {
        puts("lost");
    } else {
        printf("bound %s\n", ip4addr_ntoa(netif_ip4_addr(netif)));
    }
    fflush(stdout);
}

static err_t initialize(struct netif *netif) {
    static const u8_t address[ETH_HWADDR_LEN] = {2, 0, 0, 0, 1, 1};
    netif->name[0] = 't';
    netif->name[1] = 'p';
    netif->mtu = 1500;
    netif->hwaddr_len = ETH_HWADDR_LEN;
    memcpy(netif->hwaddr, address, ETH_HWADDR_LEN);
    netif->flags =
        NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
    netif->output = etharp_output;
    netif->linkoutput = transmit;
    return ERR_OK;
}

int main(int count, char **arguments) {
    struct netif netif = {0};
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    if (count != 2) {
        return 2;
    }
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", arguments[1]);
    tap = open("/dev/net/tun", O_RDWR);
    if (tap < 0 || ioctl(tap, TUNSETIFF, &request) < 0) {
        perror(arguments[1]);
        return 1;
    }
    lwip_init();
    netif_add_noaddr(&netif, NULL, initialize, ethernet_input);
    netif_set_default(&netif);
    netif_set_status_callback(&netif, report);
    netif_set_up(&netif);
    if (dhcp_start(&netif) != ERR_OK) {
        return 1;
    }
    for (;;) {
        struct pollfd readable = {.fd = tap, .events = POLLIN};
        u32_t pause = sys_timeouts_sleeptime();
        if (poll(&readable, 1, pause > 100 ? 100 : (int)pause) > 0) {
            receive(&netif);
        }
        sys_check_timeouts();
    }
}
