namespace Aries.Managed;

/// <summary>Where a part of a product's factor lies: along the result, and along the factors' common length.</summary>
/// <param name="start">The value at place 0, step 0.</param>
/// <param name="place">The distance between neighbours along the result: a row of the first factor, a column of the second.</param>
/// <param name="step">The distance between neighbours along the common length.</param>
internal readonly unsafe struct Factor(float* start, nint place, nint step)
{
    public float* Start { get; } = start;

    public nint Place { get; } = place;

    public nint Step { get; } = step;

    /// <summary>Shows the part from a place and a step on.</summary>
    public Factor From(nint place, nint step) => new(Start + (place * Place) + (step * Step), Place, Step);
}
