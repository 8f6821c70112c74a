/** In a file of its own: Vega is installed with the bench only, where the types of the whole project are checked without it. */
import { parse, View } from 'vega';
import { compile } from 'vega-lite';

export async function draw(specification) {
  const { spec } = compile(specification);
  return new View(parse(spec), { renderer: 'none' }).toSVG();
}
