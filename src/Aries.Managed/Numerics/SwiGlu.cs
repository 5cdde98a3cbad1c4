using System.Runtime.Intrinsics;

namespace Aries.Managed;

/// <summary>The gated activation of the feed-forward block: y = SiLU(g) ⊙ u with SiLU(g) = g·σ(g).</summary>
/// <remarks>Shazeer 2020, <see href="https://arxiv.org/abs/2002.05202"/>, Eq. 6.</remarks>
/// <threadsafety>Every member may be called concurrently on results that do not overlap.</threadsafety>
internal static class SwiGlu
{
    /// <summary>Computes y from the gate g and the input u.</summary>
    /// <param name="gate">g. Shape [T, I].</param>
    /// <param name="up">u. Shape [T, I].</param>
    /// <param name="y">Receives the result; may be one of the inputs. Shape [T, I].</param>
    /// <param name="pool">Shares the rows.</param>
    /// <exception cref="ArgumentException">The shapes differ.</exception>
    public static void Forward(Matrix gate, Matrix up, Matrix y, WorkerPool pool)
    {
        CheckShapes(gate, up);
        CheckShapes(gate, y);
        pool.RunBlocks(gate.Rows, BlockRows.RowsPerBlock(gate), (gate, up, y), static (state, start, end) =>
        {
            for (int row = start; row < end; row++)
            {
                ForwardRow(state.gate.Row(row), state.up.Row(row), state.y.Row(row));
            }
        });
    }

    /// <summary>Computes the gradients of the gate and of the input.</summary>
    /// <param name="gate">g. Shape [T, I].</param>
    /// <param name="up">u. Shape [T, I].</param>
    /// <param name="yGradient">∂L/∂y. Shape [T, I].</param>
    /// <param name="gateGradient">Receives ∂L/∂g; may be any of the inputs. Shape [T, I].</param>
    /// <param name="upGradient">Receives ∂L/∂u; may be any of the inputs, but not <paramref name="gateGradient"/>. Shape [T, I].</param>
    /// <param name="pool">Shares the rows.</param>
    /// <exception cref="ArgumentException">The shapes differ.</exception>
    public static void Backward(Matrix gate, Matrix up, Matrix yGradient, Matrix gateGradient, Matrix upGradient, WorkerPool pool)
    {
        CheckShapes(gate, up);
        CheckShapes(gate, yGradient);
        CheckShapes(gate, gateGradient);
        CheckShapes(gate, upGradient);
        pool.RunBlocks(gate.Rows, BlockRows.RowsPerBlock(gate), (gate, up, yGradient, gateGradient, upGradient), static (state, start, end) =>
        {
            for (int row = start; row < end; row++)
            {
                BackwardRow(
                    state.gate.Row(row), state.up.Row(row), state.yGradient.Row(row), state.gateGradient.Row(row), state.upGradient.Row(row));
            }
        });
    }

    private static void ForwardRow(ReadOnlySpan<float> gate, ReadOnlySpan<float> up, Span<float> y)
    {
        for (int index = 0; index < gate.Length; index += Lanes.Count)
        {
            Vector256<float> g = Lanes.Load(gate, index);
            Lanes.Store(g * Lanes.Sigmoid(g) * Lanes.Load(up, index), y, index);
        }
    }

    // SiLU′(g) = σ + g·σ·(1 − σ) = σ·(1 + g − g·σ).
    private static void BackwardRow(
        ReadOnlySpan<float> gate, ReadOnlySpan<float> up, ReadOnlySpan<float> yGradient, Span<float> gateGradient, Span<float> upGradient)
    {
        for (int index = 0; index < gate.Length; index += Lanes.Count)
        {
            Vector256<float> g = Lanes.Load(gate, index);
            Vector256<float> u = Lanes.Load(up, index);
            Vector256<float> gradient = Lanes.Load(yGradient, index);
            Vector256<float> sigmoid = Lanes.Sigmoid(g);
            Vector256<float> silu = g * sigmoid;
            Lanes.Store(gradient * u * Lanes.MultiplyAdd(sigmoid, g - silu, sigmoid), gateGradient, index);
            Lanes.Store(gradient * silu, upGradient, index);
        }
    }

    private static void CheckShapes(Matrix first, Matrix second)
    {
        if (first.Rows != second.Rows || first.Columns != second.Columns)
        {
            throw new ArgumentException($"The shapes [{first.Rows}, {first.Columns}] and [{second.Rows}, {second.Columns}] must be equal.");
        }
    }
}
