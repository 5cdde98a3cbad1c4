namespace Aries.Managed;

/// <summary>Where a part of a product's factor lies: along the result, and along the factors' common length.</summary>
/// <param name="start">The value at place 0, step 0.</param>
/// <param name="place">The distance between neighbours along the result: a row of the first factor, a column of the second. Within a tile, where tiles lie apart.</param>
/// <param name="step">The distance between neighbours along the common length.</param>
internal readonly unsafe struct Factor(float* start, nint place, nint step)
{
    public float* Start { get; init; } = start;

    public nint Place { get; } = place;

    public nint Step { get; } = step;

    /// <summary>Gets the number of places in a tile, where tiles lie apart; else 0.</summary>
    public int TilePlaces { get; init; }

    /// <summary>Gets the distance between the starts of neighbouring tiles.</summary>
    public nint Tile { get; init; }

    /// <summary>Shows the part from a place and a step on.</summary>
    /// <param name="place">The place; the first of a tile where tiles lie apart.</param>
    /// <param name="step">The step.</param>
    public Factor From(nint place, nint step) => this with { Start = Start + (TilePlaces > 0 ? place / TilePlaces * Tile : place * Place) + (step * Step) };
}
