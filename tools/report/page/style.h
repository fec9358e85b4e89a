// The look of the report page. Colours are variables, so that the plots follow light, dark and paper; no
// fonts or pictures are fetched.
#pragma once

namespace eb::tools::page {

// s1..s8 are lines and f1..f8 areas; the first is the accent.
constexpr const char* page_style = R"css(
:root{color-scheme:light dark;--bg:#fbfaf8;--card:#fff;--ink:#1e1b22;--soft:#625c6b;--rule:#e3dfe6;--accent:#8e2981;
--tint:#f6edf5;--warn:#8a4b00;--warn-bg:#fdf3e2;--good:#1d6b45;--bad:#a3262a;
--c1:#8e2981;--c2:#60708a;--c3:#c9791b;--c4:#1f8a8a;--c5:#c65b7c;--c6:#7a8f3c;--c7:#9b8ac4;--c8:#b7b2bb;--gone:#e9e5ec}
@media (prefers-color-scheme:dark){:root{--bg:#151318;--card:#1c1920;--ink:#ece8ef;--soft:#aea7b7;--rule:#38333f;
--accent:#e59ad9;--tint:#2a2029;--warn:#f2c077;--warn-bg:#2b2218;--good:#7fd3a8;--bad:#ff9a94;
--c1:#e08fd3;--c2:#93a5c2;--c3:#eaa54f;--c4:#55bdbd;--c5:#ef8fab;--c6:#b2c66b;--c7:#b9a8e6;--c8:#77717f;--gone:#322d38}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",
Arial,sans-serif;font-variant-numeric:tabular-nums;overflow-wrap:break-word}
main,footer{max-width:1120px;margin:0 auto;padding:0 clamp(20px,4vw,40px)}
header{padding:56px 0 0}
footer{padding-top:24px;padding-bottom:48px;color:var(--soft);font-size:14px}
.eyebrow{margin:0;color:var(--accent);font-size:13px;font-weight:600;letter-spacing:.06em}
h1{margin:4px 0 0;font-size:clamp(26px,4vw,38px);line-height:1.2;letter-spacing:-.015em;font-weight:680}
h2{margin:0 0 16px;font-size:25px;line-height:1.25;letter-spacing:-.01em;font-weight:650}
h3{margin:36px 0 10px;font-size:18px;line-height:1.3;font-weight:650}
h4{margin:28px 0 8px;font-size:16px}
section{margin:64px 0 0}
section>h3:first-child{margin:0 0 14px;font-size:22px}
p{margin:0 0 14px;max-width:70ch}
.lead{margin:18px 0 0;max-width:44em;font-size:clamp(18px,2.2vw,22px);line-height:1.5}
.note,figcaption{color:var(--soft);font-size:14.5px;line-height:1.55}
.empty{padding:18px 20px;border:1px dashed var(--rule);border-radius:10px;color:var(--soft);max-width:none}
.whole{white-space:nowrap}
.none{color:var(--soft);font-style:italic}
a{color:var(--accent);text-underline-offset:3px}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
code{font:.875em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
nav{display:flex;flex-wrap:wrap;gap:6px 22px;margin:32px 0 0;padding:12px 0;border:solid var(--rule);border-width:1px 0;
font-size:15px}
nav a{text-decoration:none}
nav a:hover{text-decoration:underline}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:32px 0 0}
.tiles div{display:flex;flex-direction:column-reverse;justify-content:flex-end;padding:16px 18px;background:var(--card);border:1px solid var(--rule);
border-radius:12px}
.tiles dt{color:var(--soft);font-size:14px;line-height:1.4}
.tiles dd{margin:0;font-size:30px;line-height:1.25;font-weight:640;letter-spacing:-.02em}
.tiles dd span{color:var(--soft);font-size:17px;font-weight:400;letter-spacing:0}
.warnings{margin:32px 0 0;padding:14px 20px;background:var(--warn-bg);border-left:4px solid var(--warn);border-radius:6px}
.warnings p{margin:0;color:var(--warn)}
.warnings ul{margin:4px 0 0;padding-left:20px}
.rule{padding:14px 18px;background:var(--tint);border-left:4px solid var(--accent);border-radius:6px}
.tag{padding:1px 9px;border-radius:20px;background:var(--tint);color:var(--accent);font-size:12.5px;font-weight:600}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:28px 36px;align-items:start}
.columns>*{min-width:0}
.maps{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,290px),1fr));gap:24px}
.maps figure{max-width:460px}
figure{margin:0 0 12px;padding:18px 18px 14px;background:var(--card);border:1px solid var(--rule);border-radius:12px;
container-type:inline-size;min-width:0}
.figure-title{margin:0 0 6px;font-weight:640}
figcaption{margin-top:8px}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{fill:var(--soft);font-size:12.5px}
svg image{image-rendering:pixelated}
svg .scale{image-rendering:auto}
.grid{stroke:var(--rule);fill:none}
.axis{stroke:var(--soft);fill:none}
.line{fill:none;stroke-width:2.2;stroke-linejoin:round;stroke-linecap:round}
.dashed{stroke-dasharray:5 4}
.deviation{stroke-width:1.3;fill:none}
.phase{stroke:var(--soft);stroke-dasharray:2 3;fill:none}
.phase-name text{fill:var(--ink);paint-order:stroke;stroke:var(--card);stroke-width:4px;stroke-linejoin:round}
.level,.key.level{stroke:var(--bad);stroke-width:1.8;stroke-dasharray:7 4;fill:none}
.rim{fill:none;stroke:var(--rule)}
.window-back{fill:none;stroke:#000;stroke-opacity:.55;stroke-width:4}
.window{fill:none;stroke:#fff;stroke-width:1.8}
path.pointer{fill:var(--accent)}
.pointer text{fill:var(--accent);font-weight:640}
.bracket{stroke:var(--soft);stroke-width:1.6;fill:none}
.point circle{fill:var(--accent)}
.point text{fill:var(--card);font-weight:640;dominant-baseline:central}
.spread{stroke:var(--accent);stroke-width:2;fill:none}
.gone{fill:var(--gone);background:var(--gone)}
.s1{stroke:var(--c1);--k:var(--c1)}.s2{stroke:var(--c2);--k:var(--c2)}.s3{stroke:var(--c3);--k:var(--c3)}
.s4{stroke:var(--c4);--k:var(--c4)}.s5{stroke:var(--c5);--k:var(--c5)}.s6{stroke:var(--c6);--k:var(--c6)}
.s7{stroke:var(--c7);--k:var(--c7)}.s8{stroke:var(--c8);--k:var(--c8)}
.dot{fill:var(--k)}
.f1{fill:var(--c1);background:var(--c1)}.f2{fill:var(--c2);background:var(--c2)}.f3{fill:var(--c3);background:var(--c3)}
.f4{fill:var(--c4);background:var(--c4)}.f5{fill:var(--c5);background:var(--c5)}.f6{fill:var(--c6);background:var(--c6)}
.f7{fill:var(--c7);background:var(--c7)}.f8{fill:var(--c8);background:var(--c8)}
.legend{display:flex;flex-wrap:wrap;gap:2px 18px;margin:0 0 8px;padding:0;list-style:none;color:var(--soft);font-size:13.5px}
.key{display:inline-block;width:22px;margin-right:7px;vertical-align:middle;border-top:2.5px solid var(--k)}
.key.dashed{border-top-style:dashed}
.key.level{border-top:2.5px dashed var(--bad)}
.key.block{width:12px;height:12px;border:0;border-radius:3px}
@container (max-width:430px){svg.wide text{font-size:18px}}
.box{overflow-x:auto;margin:0 0 14px;background:var(--card);border:1px solid var(--rule);border-radius:12px}
.tall{max-height:760px;overflow-y:auto}
table{width:100%;border-collapse:collapse;font-size:15px;line-height:1.4}
th,td{padding:9px 16px;border-bottom:1px solid var(--rule);text-align:right;vertical-align:top}
tbody tr:last-child>*{border-bottom:0}
th{font-weight:500;text-align:left}
thead th{color:var(--soft);font-size:13.5px;vertical-align:bottom;background:var(--card)}
thead th:not(:first-child){text-align:right}
.tall thead th{position:sticky;top:0;box-shadow:0 1px var(--rule)}
.headline td{min-width:150px}
.headline .value{font-weight:600;white-space:nowrap}
.headline .none{font-weight:400}
small{display:block;color:var(--soft);font-size:13px;line-height:1.4}
.words td,.words thead th:not(:first-child){text-align:left}
.layers th,.layers thead th:nth-child(2),.comparison th,.comparison thead th:nth-child(2){text-align:left}
.comparison td,.watched td,.check th,.phases td{white-space:nowrap}
.check thead th{white-space:normal}
.layers th,.layers td{padding:6px 9px}.comparison{font-size:13.5px}.comparison th,.comparison td{padding:9px 7px}
#comparison figure{max-width:680px;margin-top:24px}.comparison tbody th{min-width:9em;overflow-wrap:anywhere}.comparison td.seeds{white-space:normal}.check th,.check td,.watched th,.watched td{padding:9px 12px}
.layers{font-size:14px}
.yes{color:var(--good)}
.no{color:var(--bad)}
.commands{margin:0;padding-left:24px}
details{margin:28px 0 0;padding:4px 24px;border:1px solid var(--rule);border-radius:14px}
details[open]{padding-bottom:24px}
summary{padding:12px 0;cursor:pointer}
summary h2{display:inline;font-size:20px}
details section{margin-top:44px}
@media (max-width:600px){header{padding-top:32px}section{margin-top:48px}.tiles{grid-template-columns:1fr 1fr}
.tiles dd{font-size:25px}figure{padding:14px 12px 12px}table{font-size:14px}th,td{padding:8px 7px}.headline td{min-width:96px}
.check th,.check td,.watched th,.watched td{padding:8px 7px}.check thead th{white-space:normal}
details{padding:2px 14px}.comparison tbody th{overflow-wrap:break-word}}
@media print{:root{color-scheme:light;--bg:#fff;--card:#fff;--ink:#000;--soft:#444;--rule:#ccc;--accent:#8e2981;--tint:#f6edf5;
--warn:#8a4b00;--warn-bg:#fff;--good:#1d6b45;--bad:#a3262a;--c1:#8e2981;--c2:#60708a;--c3:#c9791b;--c4:#1f8a8a;--c5:#c65b7c;
--c6:#7a8f3c;--c7:#9b8ac4;--c8:#b7b2bb;--gone:#e9e5ec}
body{font-size:10.5pt;-webkit-print-color-adjust:exact;print-color-adjust:exact}
main,footer{max-width:none;padding:0}header{padding:0}nav{display:none}section{margin-top:26pt}
figure,.tiles div,.rule,.warnings,tr{break-inside:avoid}h2,h3,h4{break-after:avoid}
.box{overflow:visible}.tall{max-height:none}.box table,.box th{font-size:8.5pt}.box th,.box td{padding:3pt 4pt;white-space:normal}
small,.note,figcaption,.legend,.tiles dt{font-size:8.5pt}.headline td{min-width:0}.tall thead th{position:static}.box .layers th,.box .layers td{padding:2pt 3pt;font-size:8pt}h1{font-size:22pt}h2{font-size:15pt}
.columns{grid-template-columns:1fr 1fr}.maps{grid-template-columns:1fr 1fr 1fr}
details{border:0;padding:0}details::details-content{content-visibility:visible;height:auto}}
)css";

}  // namespace eb::tools::page
