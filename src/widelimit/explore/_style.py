"""How the app looks around its pictures: at the width of a telephone and of a desktop, in light and dark."""

HEAD = """
<style>
.wl-head,.wl-title,.wl-figure,.wl-grid,.wl-buttons{max-width:64rem;margin-left:auto;margin-right:auto}
.wl-title h1{font-size:1.5rem;font-weight:700;margin:0 0 .2rem;line-height:1.25}
.wl-title p{font-size:1.05rem;margin:0}
.wl-figure{margin-top:0;margin-bottom:0}
.wl-picture img{display:block;width:100%;height:auto}
.wl-figure figcaption{font-size:.95rem;line-height:1.45;margin-top:.3rem}
.wl-state{display:block;min-height:1.4em;opacity:.75}
@media(max-width:760px){.wl-head{padding-right:3.5rem}}
/* On a telephone the sliders stay at the foot of the screen, and the picture is moved behind them. */
@media(max-width:760px){
.wl-controls{position:fixed;left:0;right:0;bottom:0;z-index:20;max-height:40vh;overflow-y:auto;
padding:.5rem 1rem .7rem;background:var(--background,Canvas);border-top:1px solid #8a8a8a;box-sizing:border-box}
#App{padding-bottom:42vh;scroll-padding-bottom:42vh}
}
.wl-grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(17rem,1fr));gap:.4rem 2rem}
.wl-buttons{margin-top:.6rem;display:flex;gap:.8rem;flex-wrap:wrap}
</style>
"""
