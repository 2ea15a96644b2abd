"""Both pages as a person uses them, in headless Chromium; screenshots are kept in SCREENSHOTS.

Skipped with a line where Chromium, its driver or Selenium is missing; the check for
accessibility (axe-core) likewise."""

import glob
import json
import os
import shutil
import unittest

from harness import SCRATCH, TOOLS, Broker, Postgres, Service, open_shop, wait_until

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service as Driver
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import Select
    MISSING = next((f"{program} is missing" for program in ("chromium", "chromedriver") if not shutil.which(program)), None)
except ImportError:
    MISSING = "python3-selenium is missing"

AXE = next(iter(glob.glob(os.path.join(TOOLS, "axe.min.js"))), None)
SCREENSHOTS = os.environ.get("SCREENSHOTS", os.path.join(SCRATCH, "screenshots"))


@unittest.skipIf(MISSING, f"the pages in a browser: {MISSING}")
class TestPages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Postgres("pages")
        open_shop(cls.server)
        # people whom the page offers have 20 to 80 events
        cls.server.sql("""INSERT INTO events SELECT u, i, 'view', now() - make_interval(days => 30 + i)
            FROM generate_series(1, 3) u, generate_series(1, 30) i, generate_series(1, 3) WHERE i % 3 = u % 3 AND i < 25""")
        cls.broker = Broker()
        cls.server.sql(f"""SELECT recsys.create_stream('clicks', '{cls.broker.servers}', 'clicks', 'events',
            mapping => '{{"user_id": "user_id", "item_id": "item_id", "event_type": "event_type", "ts": "ts"}}',
            options => '{{"kafka": {{"fetch.wait.max.ms": 5}}}}')""")
        cls.service = Service(database=cls.server.uri(), brokers=cls.broker.servers, topic="clicks", pages="yes", model="shop",
                              filters={"category": "category = $1"})
        os.makedirs(SCREENSHOTS, exist_ok=True)
        options = Options()
        options.binary_location = shutil.which("chromium")
        for argument in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                         "--disable-background-networking", "--disable-component-update", "--disable-sync",
                         "--disable-dev-shm-usage", "--window-size=1200,900", f"--user-data-dir={SCRATCH}/profile"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        cls.browser = webdriver.Chrome(service=Driver(shutil.which("chromedriver")), options=options)

    @classmethod
    def tearDownClass(cls):
        cls.browser.quit()

    def setUp(self):
        self.browser.set_window_size(1200, 900)
        self.open("/")
        self.browser.execute_script("sessionStorage.clear()")
        self.browser.get_log("browser")

    def tearDown(self):
        errors = [entry for entry in self.browser.get_log("browser") if entry["level"] == "SEVERE"]
        self.assertEqual(errors, [])

    def open(self, path):
        self.browser.get(f"http://127.0.0.1:{self.service.port}{path}")

    def see(self, selector, least=1, seconds=20):
        return wait_until(f"{least} of {selector}", lambda: (
            lambda found: found if len(found) >= least else None)(self.browser.find_elements(By.CSS_SELECTOR, selector)), seconds)

    def list_for_me(self):
        return wait_until("a list", lambda: self.read("#for-you li a", "one.href.split('/').pop()"))

    def read(self, selector, what):
        """In one step, for the page may draw itself anew between two."""
        return self.browser.execute_script(f"return [...document.querySelectorAll({json.dumps(selector)})].map(one => {what})")

    def click(self, selector):
        """In one step too."""
        wait_until(f"{selector} to click on", lambda: self.browser.execute_script(
            f"const one = document.querySelector({json.dumps(selector)}); if (one) one.click(); return one !== null"))

    def text(self, selector):
        return wait_until(f"{selector}", lambda: self.read(selector, "one.innerText"))[0]

    def wait_text(self, selector, pattern):
        return wait_until(f"{pattern} in {selector}", lambda: pattern in self.text(selector))

    def accessible(self, name):
        self.browser.save_screenshot(os.path.join(SCREENSHOTS, name + ".png"))
        if AXE is None:
            print("# skipped: accessibility of " + name + ": axe-core is not here", flush=True)
            return
        with open(AXE, encoding="utf-8") as file:
            self.browser.execute_script(file.read())
        found = self.browser.execute_async_script(
            "axe.run(document).then(r => arguments[0](r.violations.map(v => [v.id, v.nodes.map(n => n.html).slice(0, 3)])))")
        self.assertEqual(found, [], json.dumps(found, indent=1))

    def test_a_click_changes_the_list(self):
        self.open("/")
        before = self.list_for_me()
        self.accessible("shop")
        self.click("#for-you li a")
        self.wait_text("#renewed", "ms after the click")
        self.assertNotIn(before[0], self.list_for_me())  # it is seen now
        self.see(".product h2")
        self.see("section ul.shelf li a", 6)
        self.accessible("product")

    def test_a_stranger(self):
        self.open("/")
        select = Select(self.see("#person")[0])
        wait_until("people", lambda: len(select.options) > 1)
        select.select_by_visible_text("a stranger")
        self.wait_text("#for-you", "popular now")
        self.open("/#/item/3")
        self.wait_text("#renewed", "ms after the click")
        self.assertNotIn("popular now", self.text("#for-you li"))

    def test_diversity_and_category(self):
        self.open("/")
        plain = self.list_for_me()
        slider = self.see("#diversity")[0]
        for _ in range(10):
            slider.send_keys(Keys.ARROW_RIGHT)
        wait_until("another list", lambda: self.list_for_me() != plain)
        Select(self.see("#category")[0]).select_by_visible_text("taste 1")
        wait_until("one category", lambda: set(self.read("#for-you .small", "one.innerText")) <= {"taste 1", "popular now"})

    def test_cart(self):
        self.open("/#/item/4")
        self.click(".actions button")
        self.wait_text("#cart-link", "Cart (1)")
        self.open("/#/cart")
        self.wait_text("#view", "Goes with your cart")
        self.see("section ul.shelf li a", 6)
        self.accessible("cart")

    def test_keyboard(self):
        self.open("/")
        self.see("#for-you li a")
        body = self.browser.find_element(By.TAG_NAME, "body")
        body.send_keys(Keys.TAB)
        self.assertIn("Skip", self.browser.switch_to.active_element.text)
        self.browser.switch_to.active_element.send_keys(Keys.ENTER)
        for _ in range(30):
            self.browser.switch_to.active_element.send_keys(Keys.TAB)
            if "item" in (self.browser.switch_to.active_element.get_attribute("class") or ""):
                break
        self.browser.switch_to.active_element.send_keys(Keys.ENTER)
        self.see(".product h2")

    def test_phone(self):
        self.browser.set_window_size(390, 800)
        self.open("/")
        self.see("#for-you li a")
        wide = self.browser.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
        self.assertEqual(wide, 0)
        self.accessible("phone")

    def test_words_are_not_markup(self):
        self.server.sql("UPDATE items SET title = '<img src=x onerror=\"document.title=1\">' WHERE item_id = 30")
        self.open("/#/item/30")
        self.wait_text(".product h2", "<img src=x")
        self.server.sql("UPDATE items SET title = 'item 30' WHERE item_id = 30")

    def test_operator(self):
        self.server.sql("SELECT recsys.train('shop')")
        # a message that is no row becomes one when the mapping knows better: here, a dead letter retried
        self.service.post("/events", {"user_id": "nobody", "item_id": 1})
        wait_until("a dead letter", lambda: self.server.sql("SELECT count(*) FROM recsys.dead_letters") != "0")
        self.open("/operator")
        self.see("#models tbody tr")
        self.see("#dead_letters tbody tr")
        self.see("#charts figure", 2)
        self.accessible("operator")
        self.click("#dead_letters button")
        self.wait_text("#said", "0 of 1 written")
        self.click("#versions button")
        self.wait_text("#said", "done")
        self.assertEqual(self.server.sql("SELECT version FROM recsys.models WHERE model = 'shop'"), "1")
