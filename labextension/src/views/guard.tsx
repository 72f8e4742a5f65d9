/**
 * Owns what becomes of a view that could not be drawn: it is drawn anew, from nothing.
 *
 * The page belongs to many: whoever moves a node that React made breaks the next drawing, and without this the view
 * would show its last state for ever.
 */

import * as React from 'react';

const MOST_LIVES = 20;

interface Props {
  readonly children: React.ReactNode;
}

export class Guard extends React.Component<Props, { readonly life: number }> {
  override state = { life: 0 };

  override componentDidCatch(): void {
    this.setState(({ life }) => ({ life: life + 1 }));
  }

  override render(): JSX.Element {
    if (this.state.life > MOST_LIVES) {
      return <p role="alert">nbflow cannot draw this. Reload the page; the console tells why.</p>;
    }
    return <React.Fragment key={this.state.life}>{this.props.children}</React.Fragment>;
  }
}
