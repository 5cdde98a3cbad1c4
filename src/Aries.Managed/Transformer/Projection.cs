namespace Aries.Managed;

/// <summary>y = x·Wᵀ, plus (alpha ÷ rank)·(x·Aᵀ)·Bᵀ where the projection has an adapter. Hu et al. 2021, <see href="https://arxiv.org/abs/2106.09685"/>, Eq. 3.</summary>
internal readonly struct Projection(Parameter weight, LoraPair? adapter, float adapterScale, LowRows low)
{
    public Parameter Weight { get; } = weight;

    public LoraPair? Adapter { get; } = adapter;

    public float AdapterScale { get; } = adapterScale;

    /// <summary>Gets what <see cref="Forward"/> leaves for <see cref="Backward"/> where there is an adapter.</summary>
    public LowRows Low { get; } = low;

    /// <summary>Computes y, or adds it to what <paramref name="output"/> holds.</summary>
    /// <param name="input">x. Shape [rows, in].</param>
    /// <param name="output">Shape [rows, out].</param>
    /// <param name="accumulate">Whether to add.</param>
    /// <param name="pool">The threads.</param>
    public void Forward(Matrix input, Matrix output, bool accumulate, WorkerPool pool)
    {
        MatrixProduct.Project(input, Weight, output, accumulate, pool);
        AddAdapter(input, output, pool);
    }

    /// <summary>Computes several projections of one input, packed ones in one piece of work: a thread waits once for another, not once a projection.</summary>
    /// <param name="input">x. Shape [rows, in].</param>
    /// <param name="first">A projection, and its y of shape [rows, out].</param>
    /// <param name="second">Another.</param>
    /// <param name="third">Another, or the default for none.</param>
    /// <param name="pool">The threads.</param>
    public static void ForwardAll(
        Matrix input,
        (Projection Projection, Matrix Output) first,
        (Projection Projection, Matrix Output) second,
        (Projection Projection, Matrix Output) third,
        WorkerPool pool)
    {
        bool isPacked = first.Projection.Weight.Packed is not null;
        if (isPacked)
        {
            PackedProduct.Run(new PackedProducts(input, Accumulate: false, Factor(first), Factor(second), Factor(third)), pool);
        }

        ReadOnlySpan<(Projection Projection, Matrix Output)> all = [first, second, third];
        foreach ((Projection projection, Matrix output) in all)
        {
            if (projection.Weight is null)
            {
                continue;
            }

            if (!isPacked)
            {
                MatrixProduct.Project(input, projection.Weight, output, accumulate: false, pool);
            }

            projection.AddAdapter(input, output, pool);
        }

        static PackedFactor Factor((Projection Projection, Matrix Output) target) => new(target.Projection.Weight?.Packed, target.Output);
    }

    /// <summary>From ∂L/∂y: ∂L/∂x, and ∂L/∂W or ∂L/∂A and ∂L/∂B.</summary>
    /// <param name="input">x, as <see cref="Forward"/> had it. Shape [rows, in].</param>
    /// <param name="outputGradient">∂L/∂y. Shape [rows, out].</param>
    /// <param name="inputGradient">Receives ∂L/∂x, or null where nobody asks; may be <paramref name="input"/> itself. Shape [rows, in].</param>
    /// <param name="accumulate">Whether ∂L/∂x is added to what <paramref name="inputGradient"/> holds.</param>
    /// <param name="weightGradient">∂L/∂W is added to it; null where W is frozen.</param>
    /// <param name="adapterGradient">∂L/∂A and ∂L/∂B are added to it; null where there is no adapter or it is frozen.</param>
    /// <param name="lowGradient">A buffer for [rows, rank] values.</param>
    /// <param name="pool">The threads.</param>
    public void Backward(
        Matrix input,
        Matrix outputGradient,
        Matrix? inputGradient,
        bool accumulate,
        Parameter? weightGradient,
        LoraPair? adapterGradient,
        ref float[] lowGradient,
        WorkerPool pool)
    {
        if (weightGradient is not null)
        {
            MatrixProduct.TransposedTimes(outputGradient, input, weightGradient, accumulate: true, pool);
        }

        Matrix scaledGradient = Adapter is null ? default : AdapterGradients(input, outputGradient, adapterGradient, ref lowGradient, pool);

        // Last, for it may lie where the input lay.
        if (inputGradient is { } target)
        {
            MatrixProduct.Times(outputGradient, Weight, target, accumulate, pool);
            if (Adapter is not null)
            {
                MatrixProduct.Times(scaledGradient, Adapter.A, target, accumulate: true, pool);
            }
        }
    }

    /// <summary>Computes (alpha ÷ rank)·x·Aᵀ alone, as <see cref="Forward"/> does with an adapter.</summary>
    public Matrix ComputeLow(Matrix input, WorkerPool pool)
    {
        int rank = Adapter!.A.Rows;
        Low.Ensure(input.Rows, rank);
        MatrixProduct.Project(input, Adapter.A, KeptLow(input.Rows), accumulate: false, pool);
        RowKernels.Scale(Low.Values.AsSpan(0, input.Rows * rank), AdapterScale);
        return KeptLow(input.Rows);
    }

    // Adds to ∂L/∂A and ∂L/∂B where they are wanted, and returns (alpha ÷ rank)·∂L/∂y·B.
    private Matrix AdapterGradients(Matrix input, Matrix outputGradient, LoraPair? gradient, ref float[] lowGradient, WorkerPool pool)
    {
        int rank = Adapter!.A.Rows;
        Matrix scaledGradient = new(Buffers.Ensure(ref lowGradient, input.Rows * rank), input.Rows, rank);
        MatrixProduct.Times(outputGradient, Adapter.B, scaledGradient, accumulate: false, pool);
        RowKernels.Scale(lowGradient.AsSpan(0, input.Rows * rank), AdapterScale);
        if (gradient is not null)
        {
            MatrixProduct.TransposedTimes(outputGradient, KeptLow(input.Rows), gradient.B, accumulate: true, pool);
            MatrixProduct.TransposedTimes(scaledGradient, input, gradient.A, accumulate: true, pool);
        }

        return scaledGradient;
    }

    private Matrix KeptLow(int rows) => new(Low.Values, rows, Adapter!.A.Rows);

    private void AddAdapter(Matrix input, Matrix output, WorkerPool pool)
    {
        if (Adapter is not null)
        {
            MatrixProduct.Project(ComputeLow(input, pool), Adapter.B, output, accumulate: true, pool);
        }
    }
}
