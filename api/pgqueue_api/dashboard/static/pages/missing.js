// What an address shows that is no page.
import { html } from "../vendor/preact.js";
import { href } from "../lib/api.js";
import { link } from "../lib/live.js";
import { visible } from "../lib/format.js";
import { mount } from "../components/frame.js";

link.value = "live";

mount(
  () => html`<h1>Not found</h1>
    <p>There is no page at <code>${visible(decodeURI(location.pathname))}</code>. <a href=${href("/ui")}>To the overview</a></p>`,
);
