namespace Aries.Managed;

/// <summary>Products of the same rows with up to three packed matrices: what a layer's projections of one input need, in one piece of work.</summary>
/// <param name="A">The rows. Shape [M, K].</param>
/// <param name="Accumulate">Whether the products are added to what the results hold.</param>
/// <param name="First">The first factor, and its result.</param>
/// <param name="Second">The second, or the default for none.</param>
/// <param name="Third">The third, or the default for none.</param>
internal readonly record struct PackedProducts(Matrix A, bool Accumulate, PackedFactor First, PackedFactor Second = default, PackedFactor Third = default)
{
    /// <summary>Gets the number of panels in all factors.</summary>
    public int PanelCount => First.PanelCount + Second.PanelCount + Third.PanelCount;

    /// <summary>Finds a factor by the number of a panel among those of all factors, and the panel's number in it.</summary>
    public PackedFactor FactorOf(int panel, out int panelOfFactor)
    {
        panelOfFactor = panel;
        if (panelOfFactor < First.PanelCount)
        {
            return First;
        }

        panelOfFactor -= First.PanelCount;
        if (panelOfFactor < Second.PanelCount)
        {
            return Second;
        }

        panelOfFactor -= Second.PanelCount;
        return Third;
    }

    /// <summary>Checks that every factor fits.</summary>
    /// <exception cref="ArgumentException">A shape does not fit, or the factors are stored differently.</exception>
    public void Check()
    {
        Check(First);
        Check(Second);
        Check(Third);
    }

    private void Check(PackedFactor factor)
    {
        if (factor.Weights is not { } weights)
        {
            return;
        }

        if (weights.Columns != A.Columns || factor.Result.Rows != A.Rows
            || factor.FirstOutput % weights.PanelWidth != 0 || factor.FirstOutput + factor.Result.Columns > weights.Rows
            || (factor.Result.Columns % weights.PanelWidth != 0 && factor.FirstOutput + factor.Result.Columns != weights.Rows))
        {
            throw new ArgumentException(
                $"The shapes [{A.Rows}, {A.Columns}] and [{weights.Rows}, {weights.Columns}] from output {factor.FirstOutput} on do not multiply into [{factor.Result.Rows}, {factor.Result.Columns}].");
        }

        if (weights.Storage != First.Weights!.Storage || weights.VectorBits != First.Weights.VectorBits)
        {
            throw new ArgumentException(
                $"The factors of one run are stored alike; these are {weights.Storage} for {weights.VectorBits} bits and {First.Weights.Storage} for {First.Weights.VectorBits}.");
        }
    }
}

/// <summary>A factor W, or some of its outputs, and the result a·Wᵀ.</summary>
/// <param name="Weights">Shape [N, K]; null for no factor.</param>
/// <param name="Result">Receives the product. Shape [M, outputs].</param>
/// <param name="FirstOutput">The first output: a multiple of the panels' width.</param>
internal readonly record struct PackedFactor(PackedMatrix? Weights, Matrix Result, int FirstOutput = 0)
{
    /// <summary>Gets the number of panels that the outputs lie in.</summary>
    public int PanelCount => Weights is null ? 0 : (Result.Columns + Weights.PanelWidth - 1) / Weights.PanelWidth;
}
